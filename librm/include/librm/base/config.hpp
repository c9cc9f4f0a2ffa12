// How librm is compiled: separately (the default) or header-only on request.
#pragma once

#if defined(LIBRM_HEADER_ONLY)
#define LIBRM_DECL inline
#else
#define LIBRM_DECL
#endif
