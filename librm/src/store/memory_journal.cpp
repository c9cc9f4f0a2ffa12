// Compiles the bodies of the journal in memory once for those who link the library.
#include "librm/store/impl/memory_journal.ipp"
