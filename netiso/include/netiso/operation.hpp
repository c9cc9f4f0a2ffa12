// The closed list of network changes; each knows what was there before, so each can be undone.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "netiso/ipv4.hpp"

namespace netiso {

/// Where an operation happens: the network namespace `/run/netns/NAME`, as `ip netns` has them, or
/// that of the calling thread where this is empty.
using Space = std::string;

struct SetLinkUp {
  std::string name;
  bool up = false;
  bool up_before = false;
  Space space{};
  bool operator==(const SetLinkUp&) const = default;
};

struct SetLinkMtu {
  std::string name;
  std::uint32_t mtu = 0;
  std::uint32_t mtu_before = 0;
  Space space{};
  bool operator==(const SetLinkMtu&) const = default;
};

/// Makes a network namespace with a name, or takes the name away: the namespace goes with its last
/// process.
struct CreateNamespace {
  Space name;
  bool create = true;
  bool operator==(const CreateNamespace&) const = default;
};

/// Makes a pair of links, what goes into one comes out of the other; or a dummy, which swallows
/// all, where the peer is empty. Removing one of a pair removes both.
struct CreateLink {
  std::string name;
  std::string peer;
  bool create = true;
  Space space{};
  bool operator==(const CreateLink&) const = default;
};

/// Into another namespace, under another name, where the link arrives down and without addresses.
struct MoveLink {
  std::string name;
  Space source;
  Space target;
  std::string target_name;
  bool operator==(const MoveLink&) const = default;
};

struct AddAddress {
  std::string link;
  Ipv4Prefix address;
  bool add = true;
  Space space{};
  bool operator==(const AddAddress&) const = default;
};

/// The default route. Gateway 0: there is none, everybody is taken to be on the link.
struct AddRoute {
  std::string link;
  std::uint32_t gateway = 0;
  bool add = true;
  Space space{};
  bool operator==(const AddRoute&) const = default;
};

enum class Shaper : std::uint8_t {
  htb = 1,  ///< a class under a parent: by itself a root class cannot borrow
  tbf = 2,  ///< one bucket; up to 16 Gbit/s
};

struct EgressLimit {
  /// A multiple of 8. 0: as observed where its making was cut short; applying it sets no limit.
  std::uint64_t bits_per_second = 0;
  Shaper shaper = Shaper::htb;
  bool fair = false;  ///< fq_codel among the task's connections; htb only
  bool operator==(const EgressLimit&) const = default;
};

/// Of what leaves through the link.
struct SetEgressLimit {
  std::string link;
  std::optional<EgressLimit> limit;
  std::optional<EgressLimit> before;
  Space space{};
  bool operator==(const SetEgressLimit&) const = default;
};

using Operation = std::variant<SetLinkUp, SetLinkMtu, CreateNamespace, CreateLink, MoveLink,
                               AddAddress, AddRoute, SetEgressLimit>;

/// The operation that takes this one back. Pure.
Operation undo(const Operation& operation);

/// `link lo: up (was down)`, `link eth0 in task-1: address 10.77.0.2/30`.
std::string to_string(const Operation& operation);

/// `20 Mbit/s by htb with fq_codel`.
std::string to_string(const EgressLimit& limit);

}  // namespace netiso
