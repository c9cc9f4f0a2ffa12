// The kernel's side of network operations as a value: refuses what it refuses, drops what it drops.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "librm/base/prng.hpp"
#include "netiso/isolator.hpp"

namespace netiso {

class SimulatedKernel {
 public:
  SimulatedKernel() {
    spaces_[""].exists = true;
    add_link("", "lo");
  }

  /// Empty, or why the kernel refuses; then nothing has changed.
  std::string apply(const Operation& operation) {
    return std::visit([this](const auto& body) { return carry_out(body); }, operation);
  }

  ObservedIsolator observe(const Space& task) const {
    const auto found = spaces_.find(task);
    return {spaces_.at(""), found == spaces_.end() ? ObservedSpace{} : found->second};
  }

  /// Or its removal.
  SetEgressLimit random_limit(const Space& space, const std::string& link,
                              librm::Prng& prng) const {
    SetEgressLimit change{link, {}, limit_of(space, link), space};
    if (prng.chance(1, 4)) return change;
    change.limit.emplace();
    change.limit->bits_per_second = 8'000 * (1 + prng.below(1'000));
    change.limit->shaper = prng.chance(1, 2) ? Shaper::htb : Shaper::tbf;
    change.limit->fair = change.limit->shaper == Shaper::htb && prng.chance(1, 2);
    return change;
  }

  /// Indices are not compared: a link that was made anew has another one.
  bool operator==(const SimulatedKernel& other) const {
    return std::equal(spaces_.begin(), spaces_.end(), other.spaces_.begin(), other.spaces_.end(),
                      [](const auto& a, const auto& b) {
                        return a.first == b.first && same(a.second, b.second);
                      });
  }

 private:
  static bool same(const ObservedSpace& a, const ObservedSpace& b) {
    return a.addresses == b.addresses && a.default_routes == b.default_routes &&
           a.limits == b.limits &&
           std::equal(a.links.begin(), a.links.end(), b.links.begin(), b.links.end(),
                      [](const LinkStatistics& x, const LinkStatistics& y) {
                        return x.name == y.name && x.up == y.up && x.mtu == y.mtu &&
                               (x.peer == 0) == (y.peer == 0);
                      });
  }

  LinkStatistics* find(const Space& space, const std::string& name) {
    const auto found = spaces_.find(space);
    if (found == spaces_.end()) return nullptr;
    for (LinkStatistics& link : found->second.links) {
      if (link.name == name) return &link;
    }
    return nullptr;
  }

  LinkStatistics& add_link(const Space& space, const std::string& name) {
    LinkStatistics link;
    link.name = name;
    link.index = ++last_index_;
    link.mtu = name == "lo" ? 65'536 : 1500;
    return spaces_[space].links.emplace_back(link);
  }

  void drop_routes(const Space& space, const std::string& link) {
    std::erase_if(spaces_[space].default_routes,
                  [&](const AddRoute& route) { return route.link == link; });
  }

  void drop_link(const Space& space, const std::string& name) {
    ObservedSpace& there = spaces_[space];
    drop_routes(space, name);
    std::erase_if(there.addresses, [&](const AddAddress& a) { return a.link == name; });
    std::erase_if(there.limits, [&](const SetEgressLimit& l) { return l.link == name; });
    std::erase_if(there.links, [&](const LinkStatistics& l) { return l.name == name; });
  }

  void drop_index(std::int32_t index) {
    for (auto& [space, there] : spaces_) {
      for (const LinkStatistics& link : there.links) {
        if (link.index == index) return drop_link(space, std::string(link.name));
      }
    }
  }

  std::optional<EgressLimit> limit_of(const Space& space, const std::string& link) const {
    const auto found = spaces_.find(space);
    if (found == spaces_.end()) return {};
    for (const SetEgressLimit& known : found->second.limits) {
      if (known.link == link) return known.limit;
    }
    return {};
  }

  std::string carry_out(const SetLinkUp& o) {
    LinkStatistics* link = find(o.space, o.name);
    if (link == nullptr) return "no such link";
    link->up = o.up;
    if (!o.up) drop_routes(o.space, o.name);
    return "";
  }

  std::string carry_out(const SetLinkMtu& o) {
    LinkStatistics* link = find(o.space, o.name);
    if (link == nullptr) return "no such link";
    link->mtu = o.mtu;
    return "";
  }

  std::string carry_out(const CreateNamespace& o) {
    if (o.create) {
      if (spaces_.count(o.name) != 0) return "exists";
      spaces_[o.name].exists = true;
      add_link(o.name, "lo");
      return "";
    }
    const auto found = spaces_.find(o.name);
    if (found == spaces_.end()) return "no such namespace";
    const auto links = found->second.links;
    for (const LinkStatistics& link : links) {
      if (link.peer != 0) drop_index(link.peer);
    }
    spaces_.erase(o.name);
    return "";
  }

  std::string carry_out(const CreateLink& o) {
    if (spaces_.count(o.space) == 0) return "no such namespace";
    LinkStatistics* link = find(o.space, o.name);
    if (o.create) {
      if (link != nullptr || find(o.space, o.peer) != nullptr) return "exists";
      const std::int32_t index = add_link(o.space, o.name).index;
      if (o.peer.empty()) return "";
      LinkStatistics& peer = add_link(o.space, o.peer);
      peer.peer = index;
      find(o.space, o.name)->peer = peer.index;
      return "";
    }
    if (link == nullptr) return "no such link";
    const std::int32_t peer = link->peer;
    drop_link(o.space, o.name);
    if (peer != 0) drop_index(peer);
    return "";
  }

  std::string carry_out(const MoveLink& o) {
    if (spaces_.count(o.target) == 0) return "no such namespace";
    const LinkStatistics* link = find(o.source, o.name);
    if (link == nullptr) return "no such link";
    if (find(o.target, o.target_name) != nullptr) return "exists";
    LinkStatistics moved = *link;
    drop_link(o.source, o.name);
    moved.name = o.target_name;
    moved.up = false;
    spaces_[o.target].links.push_back(moved);
    return "";
  }

  std::string carry_out(const AddAddress& o) {
    if (find(o.space, o.link) == nullptr) return "no such link";
    auto& all = spaces_[o.space].addresses;
    const auto same_link = [&](const AddAddress& a) { return a.link == o.link; };
    AddAddress entry = o;
    entry.add = true;
    const auto found = std::find(all.begin(), all.end(), entry);
    if (o.add) {
      if (found != all.end()) return "exists";
      all.push_back(entry);
      return "";
    }
    if (found == all.end()) return "no such address";
    // The first of a network takes the others of that network with it.
    const auto in_network = [&](const AddAddress& a) {
      return same_link(a) && a.address.bits == o.address.bits &&
             a.address.network() == o.address.network();
    };
    if (std::find_if(all.begin(), all.end(), in_network) == found) {
      std::erase_if(all, in_network);
    } else {
      all.erase(found);
    }
    if (std::none_of(all.begin(), all.end(), same_link)) drop_routes(o.space, o.link);
    return "";
  }

  std::string carry_out(const AddRoute& o) {
    const LinkStatistics* link = find(o.space, o.link);
    if (link == nullptr) return "no such link";
    auto& all = spaces_[o.space].default_routes;
    AddRoute entry = o;
    entry.add = true;
    const auto found = std::find(all.begin(), all.end(), entry);
    if (!o.add) {
      if (found == all.end()) return "no such route";
      all.erase(found);
      return "";
    }
    if (!all.empty()) return "exists";
    const auto& addresses = spaces_[o.space].addresses;
    const bool has_address = std::any_of(addresses.begin(), addresses.end(),
                                         [&](const AddAddress& a) { return a.link == o.link; });
    if (!link->up || !has_address) return "unreachable";
    all.push_back(entry);
    return "";
  }

  std::string carry_out(const SetEgressLimit& o) {
    if (find(o.space, o.link) == nullptr) return "no such link";
    if (limit_of(o.space, o.link) != o.before) return "not what was there before";
    auto& all = spaces_[o.space].limits;
    std::erase_if(all, [&](const SetEgressLimit& l) { return l.link == o.link; });
    if (o.limit) all.push_back({o.link, o.limit, {}, o.space});
    return "";
  }

  std::map<Space, ObservedSpace> spaces_;
  std::int32_t last_index_ = 0;
};

}  // namespace netiso
