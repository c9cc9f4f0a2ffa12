// Reading libnl's caches.
#pragma once

#include <netlink/cache.h>

#include <memory>
#include <vector>

#include "netiso/link.hpp"
#include "netlink_socket.hpp"

namespace netiso {

struct FreeCache {
  void operator()(nl_cache* cache) const { nl_cache_free(cache); }
};
using Cache = std::unique_ptr<nl_cache, FreeCache>;

template <class Object, class Visit>
void for_each(nl_cache* cache, Visit visit) {
  for (nl_object* object = nl_cache_get_first(cache); object != nullptr;
       object = nl_cache_get_next(object)) {
    visit(reinterpret_cast<Object*>(object));
  }
}

/// Of the namespace that the socket is in, by index.
librm::Result<std::vector<LinkStatistics>> read_links(nl_sock* socket);

}  // namespace netiso
