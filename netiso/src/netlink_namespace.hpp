// Network namespaces by name, and netlink connections into them.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "librm/base/result.hpp"
#include "netiso/operation.hpp"
#include "netlink_socket.hpp"

namespace netiso {

/// Closed with its owner.
class Handle {
 public:
  explicit Handle(int fd = -1) : fd_(fd) {}
  Handle(Handle&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Handle();
  int get() const { return fd_; }

 private:
  int fd_;
};

tl::unexpected<librm::Error> fail_system(const std::string& subject, int number);

/// The namespace itself, whatever becomes of its name. Empty: that of the calling thread. Fails
/// with not_found, also where the name has no namespace behind it.
librm::Result<Handle> open_namespace(const Space& space);

/// Whether the name has a file and no namespace: the file comes first, then the mount.
bool is_remnant(const Space& space);

/// Runs the body on a thread of its own, which `enter` has put into another namespace: that of the
/// caller never changes.
librm::Result<void> on_other_thread(const std::function<librm::Result<void>()>& enter,
                                    const std::function<librm::Result<void>()>& body);

/// Stays in that namespace whatever thread uses it.
librm::Result<NetlinkSocket> open_netlink_in(const Space& space);

librm::Result<void> create_namespace(const Space& space);
librm::Result<void> remove_namespace(const Space& space);

}  // namespace netiso
