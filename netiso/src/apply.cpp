// Carries operations out, each in its namespace, and takes them back when one fails.
#include <chrono>
#include <map>
#include <thread>
#include <utility>

#include "apply_link.hpp"
#include "apply_traffic.hpp"
#include "netiso/plan.hpp"
#include "netlink_namespace.hpp"

namespace netiso {
namespace {

using librm::Result;

constexpr int settle_ms_max = 100;

class Applier {
 public:
  Result<void> apply(const Operation& operation) {
    return std::visit([this](const auto& body) { return carry_out(body); }, operation);
  }

  /// Waits until links that went up take packets, too. With the second end of a pair the first one
  /// gets its carrier, but the kernel attaches its queue a little later; packets are lost until
  /// then, and who lost its first ARP reply waits for a second. It is no failure if that takes
  /// long.
  void settle(const std::vector<Operation>& operations) {
    for (const Operation& operation : operations) {
      const auto* state = std::get_if<SetLinkUp>(&operation);
      if (state == nullptr || !state->up) continue;
      auto socket = socket_in(state->space, *state);
      for (int tries = 0; socket && tries < settle_ms_max; ++tries) {
        if (!is_pending(*socket, state->name)) break;
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    }
  }

  /// Undoes the first `count` operations, the last of them first; the first error, if any.
  Result<void> revert(const std::vector<Operation>& operations, std::size_t count) {
    Result<void> outcome;
    while (count-- > 0) {
      Result<void> undone = apply(undo(operations[count]));
      if (!undone && outcome) outcome = std::move(undone);
    }
    return outcome;
  }

 private:
  Result<void> carry_out(const CreateNamespace& operation) {
    if (operation.create) return create_namespace(operation.name);
    sockets_.erase(operation.name);  // it would keep the namespace alive
    return remove_namespace(operation.name);
  }

  Result<void> carry_out(const MoveLink& operation) {
    auto socket = socket_in(operation.source, operation);
    return socket ? apply_one(*socket, operation) : tl::unexpected(socket.error());
  }

  Result<void> carry_out(const SetEgressLimit& operation) {
    auto socket = socket_in(operation.space, operation);
    if (!socket) return tl::unexpected(socket.error());
    auto link = find_link(*socket, operation.link, to_string(Operation(operation)));
    if (!link) return tl::unexpected(link.error());
    return apply_limit(*socket, rtnl_link_get_ifindex(link->get()), operation);
  }

  template <class Body>
  Result<void> carry_out(const Body& operation) {
    auto socket = socket_in(operation.space, operation);
    return socket ? apply_one(*socket, operation) : tl::unexpected(socket.error());
  }

  /// One for each namespace, opened when it is first needed.
  template <class Body>
  Result<nl_sock*> socket_in(const Space& space, const Body& operation) {
    auto [entry, is_new] = sockets_.try_emplace(space);
    if (is_new) {
      auto socket = open_netlink_in(space);
      if (!socket) {
        sockets_.erase(entry);
        return librm::fail(socket.error().code,
                           to_string(Operation(operation)) + ": " + socket.error().message);
      }
      entry->second = std::move(*socket);
    }
    return entry->second.get();
  }

  std::map<Space, NetlinkSocket> sockets_;
};

}  // namespace

Result<void> apply(const std::vector<Operation>& operations) {
  Applier applier;
  for (std::size_t done = 0; done < operations.size(); ++done) {
    Result<void> applied = applier.apply(operations[done]);
    if (applied) continue;
    librm::Error error = applied.error();
    if (auto undone = applier.revert(operations, done); !undone) {
      error.message += "; not undone: " + undone.error().message;
    }
    return tl::unexpected(std::move(error));
  }
  applier.settle(operations);
  return {};
}

Result<void> revert(const std::vector<Operation>& operations) {
  return Applier().revert(operations, operations.size());
}

}  // namespace netiso
