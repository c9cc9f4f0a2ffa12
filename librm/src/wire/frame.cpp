// Compiles the bodies of frames and checksums once for those who link the library.
#include "librm/wire/impl/frame.ipp"
#include "librm/wire/impl/crc32c.ipp"
