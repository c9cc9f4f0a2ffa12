// Undoing operations, and their text.
#include "netiso/operation.hpp"

#include <array>
#include <utility>

namespace netiso {
namespace {

const char* up_text(bool up) { return up ? "up" : "down"; }

std::string link_text(const std::string& link, const Space& space) {
  return "link " + link + (space.empty() ? "" : " in " + space) + ": ";
}

std::string place_text(const Space& space) {
  return space.empty() ? std::string("here") : "in " + space;
}

std::string limit_text(const std::optional<EgressLimit>& limit) {
  return limit ? to_string(*limit) : std::string("no limit");
}

struct Undo {
  Operation operator()(const SetLinkUp& o) const {
    return SetLinkUp{o.name, o.up_before, o.up, o.space};
  }
  Operation operator()(const SetLinkMtu& o) const {
    return SetLinkMtu{o.name, o.mtu_before, o.mtu, o.space};
  }
  Operation operator()(const CreateNamespace& o) const {
    return CreateNamespace{o.name, !o.create};
  }
  Operation operator()(const CreateLink& o) const {
    return CreateLink{o.name, o.peer, !o.create, o.space};
  }
  Operation operator()(const MoveLink& o) const {
    return MoveLink{o.target_name, o.target, o.source, o.name};
  }
  Operation operator()(const AddAddress& o) const {
    return AddAddress{o.link, o.address, !o.add, o.space};
  }
  Operation operator()(const AddRoute& o) const {
    return AddRoute{o.link, o.gateway, !o.add, o.space};
  }
  Operation operator()(const SetEgressLimit& o) const {
    return SetEgressLimit{o.link, o.before, o.limit, o.space};
  }
};

struct Text {
  std::string operator()(const SetLinkUp& o) const {
    return link_text(o.name, o.space) + up_text(o.up) + " (was " + up_text(o.up_before) + ")";
  }
  std::string operator()(const SetLinkMtu& o) const {
    return link_text(o.name, o.space) + "mtu " + std::to_string(o.mtu) + " (was " +
           std::to_string(o.mtu_before) + ")";
  }
  std::string operator()(const CreateNamespace& o) const {
    return "namespace " + o.name + ": " + (o.create ? "create" : "remove");
  }
  std::string operator()(const CreateLink& o) const {
    const std::string kind = o.peer.empty() ? "dummy" : "veth with " + o.peer;
    return link_text(o.name, o.space) + (o.create ? "create " : "remove ") + kind;
  }
  std::string operator()(const MoveLink& o) const {
    return link_text(o.name, o.source) + "move to " + o.target_name + " " + place_text(o.target);
  }
  std::string operator()(const AddAddress& o) const {
    return link_text(o.link, o.space) + (o.add ? "" : "no ") + "address " + to_string(o.address);
  }
  std::string operator()(const AddRoute& o) const {
    return link_text(o.link, o.space) + (o.add ? "" : "no ") + "default route" +
           (o.gateway == 0 ? "" : " via " + address_text(o.gateway));
  }
  std::string operator()(const SetEgressLimit& o) const {
    return link_text(o.link, o.space) + "egress " + limit_text(o.limit) + " (was " +
           limit_text(o.before) + ")";
  }
};

}  // namespace

Operation undo(const Operation& operation) { return std::visit(Undo{}, operation); }

std::string to_string(const Operation& operation) { return std::visit(Text{}, operation); }

std::string to_string(const EgressLimit& limit) {
  constexpr std::array<const char*, 4> units{"bit/s", "kbit/s", "Mbit/s", "Gbit/s"};
  std::uint64_t rate = limit.bits_per_second;
  std::size_t unit = 0;
  while (unit + 1 < units.size() && rate >= 1000 && rate % 1000 == 0) {
    rate /= 1000;
    ++unit;
  }
  return std::to_string(rate) + " " + units[unit] + " by " +
         (limit.shaper == Shaper::htb ? "htb" : "tbf") + (limit.fair ? " with fq_codel" : "");
}

}  // namespace netiso
