// Compiles the bodies of alloc once for those who link the library.
#include "librm/alloc/impl/allocator.ipp"
#include "librm/alloc/impl/explain.ipp"
#include "librm/alloc/impl/placer.ipp"
#include "librm/alloc/impl/share.ipp"
