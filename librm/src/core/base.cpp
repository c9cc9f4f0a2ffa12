// Compiles the bodies of base once for those who link the library.
#include "librm/base/impl/amount.ipp"
