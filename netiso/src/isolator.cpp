// Compares a desired isolator with what is there; no effects.
#include "netiso/isolator.hpp"

#include <algorithm>
#include <utility>

namespace netiso {
namespace {

using librm::ErrorCode;
using librm::fail;
using librm::Result;

constexpr std::size_t space_bytes_max = 64;
constexpr std::size_t link_bytes_max = 15;  // IFNAMSIZ less the zero
constexpr std::uint64_t rate_min = 8'000;
constexpr std::uint64_t rate_max = 1'000'000'000'000;
constexpr std::uint64_t tbf_rate_max = 16'000'000'000;  // libnl has 31 bits for bytes
constexpr std::uint32_t mtu_min = 68;
constexpr std::uint32_t mtu_max = 65'535;  // of a veth
constexpr unsigned network_bits_min = 8;
constexpr unsigned network_bits_max = 31;

Result<void> check_name(const char* what, const std::string& name, std::size_t bytes_max) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  };
  const bool good = !name.empty() && name.size() <= bytes_max && name.front() != '.' &&
                    name.front() != '-' && std::all_of(name.begin(), name.end(), plain);
  if (good) return {};
  return fail(ErrorCode::invalid_argument, std::string(what) + " '" + name.substr(0, 100) +
                                               "': need 1.." + std::to_string(bytes_max) +
                                               " of A-Za-z0-9._-, not beginning with . or -");
}

Result<void> check_link(const char* what, const std::string& name, std::size_t bytes_max) {
  if (name != "lo") return check_name(what, name, bytes_max);
  return fail(ErrorCode::invalid_argument,
              std::string(what) + " 'lo': every namespace has its own of that name");
}

Result<void> check_address(const char* whose, const Ipv4Prefix& prefix) {
  const std::uint32_t first = prefix.address >> 24;
  std::string lack;
  if (prefix.bits < network_bits_min || prefix.bits > network_bits_max) {
    lack = "need a network of " + std::to_string(network_bits_min) + ".." +
           std::to_string(network_bits_max) + " bits";
  } else if (first == 0 || first == 127 || first >= 224) {
    lack = "need one that a host may have";
  } else if (const std::uint32_t host = prefix.address - prefix.network();
             prefix.bits < 31 && (host == 0 || host == (~std::uint32_t{0} >> prefix.bits))) {
    lack = "it is the network's own or the one of all its hosts";
  }
  if (lack.empty()) return {};
  return fail(ErrorCode::invalid_argument,
              std::string(whose) + " address " + to_string(prefix) + ": " + lack);
}

Result<void> check_addresses(const DesiredIsolator& desired) {
  const Ipv4Prefix& host = desired.host_address;
  const Ipv4Prefix& task = desired.task_address;
  if (auto ok = check_address("task", task); !ok || !desired.connected) return ok;
  if (auto ok = check_address("host", host); !ok) return ok;
  if (host.bits != task.bits || host.network() != task.network() || host.address == task.address) {
    return fail(ErrorCode::invalid_argument, "addresses " + to_string(host) + " and " +
                                                 to_string(task) +
                                                 ": need two different ones of one network");
  }
  return {};
}

Result<void> check(const DesiredIsolator& desired) {
  if (auto ok = check_name("namespace", desired.space, space_bytes_max); !ok) return ok;
  if (auto ok = check_link("task link", desired.task_link, link_bytes_max); !ok) return ok;
  if (desired.connected) {
    // One less: the other end is born beside it, with one byte more.
    if (auto ok = check_link("host link", desired.host_link, link_bytes_max - 1); !ok) return ok;
  }
  if (auto ok = check_addresses(desired); !ok) return ok;
  if (desired.mtu < mtu_min || desired.mtu > mtu_max) {
    return fail(ErrorCode::invalid_argument, "mtu: " + std::to_string(desired.mtu) + ", need " +
                                                 std::to_string(mtu_min) + ".." +
                                                 std::to_string(mtu_max));
  }
  const auto& rate = desired.egress_bits_per_second;
  if (rate && (*rate < rate_min || *rate > rate_max)) {
    return fail(ErrorCode::invalid_argument, "egress: " + std::to_string(*rate) + " bit/s, need " +
                                                 std::to_string(rate_min) + ".." +
                                                 std::to_string(rate_max));
  }
  return {};
}

const LinkStatistics* find_link(const ObservedSpace& space, const std::string& name) {
  for (const LinkStatistics& link : space.links) {
    if (link.name == name) return &link;
  }
  return nullptr;
}

/// Whether these are the two ends of one pair. Indices are unique within a namespace only, so two
/// ends of different pairs may look like one, but only if both pairs reach into further namespaces.
bool paired(const LinkStatistics* one, const LinkStatistics* other) {
  return one != nullptr && other != nullptr && one->peer == other->index &&
         other->peer == one->index;
}

std::string peer_name(const DesiredIsolator& desired) { return desired.host_link + "p"; }

class Planner {
 public:
  Planner(const DesiredIsolator& desired, const ObservedIsolator& observed,
          const KernelFeatures& kernel)
      : desired_(desired), observed_(observed), kernel_(kernel) {}

  Result<IsolatorPlan> plan() {
    if (auto ok = check(desired_); !ok) return tl::unexpected(ok.error());
    if (!observed_.task.exists) add(CreateNamespace{desired_.space});
    if (auto ok = desired_.connected ? connect() : disconnect(); !ok) {
      return tl::unexpected(ok.error());
    }
    return std::move(plan_);
  }

 private:
  void add(Operation operation) { plan_.operations.push_back(std::move(operation)); }

  Result<void> connect() {
    if (auto ok = make_pair(); !ok) return ok;
    const bool routes_stay = remove_routes();
    set_mtu(observed_.host, "", desired_.host_link);
    set_mtu(observed_.task, desired_.space, desired_.task_link);
    set_address(observed_.host, "", desired_.host_link, desired_.host_address);
    set_address(observed_.task, desired_.space, desired_.task_link, desired_.task_address);
    if (auto ok = set_limit(); !ok) return ok;
    set_up(observed_.host, "", desired_.host_link);
    set_up(observed_.task, desired_.space, "lo");
    set_up(observed_.task, desired_.space, desired_.task_link);
    if (!routes_stay) add(wanted_route());
    return {};
  }

  Result<void> disconnect() {
    const LinkStatistics* link = find_link(observed_.task, desired_.task_link);
    if (link != nullptr && link->peer != 0) {
      return fail(ErrorCode::failed_precondition,
                  task_link_text() + ": is one of a pair, need no way out");
    }
    if (link == nullptr && !kernel_.dummy) {
      plan_.notes.push_back("namespace " + desired_.space + ": has lo alone, without " +
                            desired_.task_link + ": this kernel has no dummy links (CONFIG_DUMMY)");
      set_up(observed_.task, desired_.space, "lo");
      return {};
    }
    if (link == nullptr) add(CreateLink{desired_.task_link, "", true, desired_.space});
    set_mtu(observed_.task, desired_.space, desired_.task_link);
    set_address(observed_.task, desired_.space, desired_.task_link, desired_.task_address);
    set_up(observed_.task, desired_.space, "lo");
    set_up(observed_.task, desired_.space, desired_.task_link);
    return {};
  }

  /// The pair is born in the host's namespace; then one end moves and gets its name.
  Result<void> make_pair() {
    const std::string peer = peer_name(desired_);
    const LinkStatistics* host = find_link(observed_.host, desired_.host_link);
    const LinkStatistics* born = find_link(observed_.host, peer);
    const LinkStatistics* task = find_link(observed_.task, desired_.task_link);
    if (paired(host, task)) return {};
    if (task != nullptr) {
      return fail(ErrorCode::failed_precondition,
                  task_link_text() + ": is there, and its other end is not " + desired_.host_link);
    }
    const bool half_made = paired(host, born);
    if (!half_made && (host != nullptr || born != nullptr)) {
      return fail(ErrorCode::failed_precondition,
                  "link " + (host != nullptr ? desired_.host_link : peer) +
                      ": is there, and its other end is not " + desired_.task_link + " in " +
                      desired_.space);
    }
    if (!half_made) {
      if (!kernel_.veth) {
        return fail(ErrorCode::unsupported, "namespace " + desired_.space +
                                                ": this kernel has no link pairs (CONFIG_VETH)");
      }
      add(CreateLink{desired_.host_link, peer});
    }
    add(MoveLink{peer, "", desired_.space, desired_.task_link});
    return {};
  }

  std::string task_link_text() const {
    return "link " + desired_.task_link + " in " + desired_.space;
  }

  AddRoute wanted_route() const {
    return {desired_.task_link, desired_.host_address.address, true, desired_.space};
  }

  /// Before the addresses change: the kernel drops the routes of a link with its last address.
  /// False where the desired one has to be added.
  bool remove_routes() {
    const bool renewed = address_change(observed_.task, desired_.task_link,
                                        desired_.task_address) == AddressChange::renew;
    bool stays = false;
    for (const AddRoute& route : observed_.task.default_routes) {
      if (route == wanted_route() && !renewed) {
        stays = true;
      } else {
        add(undo(route));
      }
    }
    return stays;
  }

  void set_mtu(const ObservedSpace& there, const Space& space, const std::string& link) {
    constexpr std::uint32_t mtu_of_new_links = 1500;
    const LinkStatistics* known = find_link(there, link);
    const std::uint32_t before = known == nullptr ? mtu_of_new_links : known->mtu;
    if (before != desired_.mtu) add(SetLinkMtu{link, desired_.mtu, before, space});
  }

  void set_up(const ObservedSpace& there, const Space& space, const std::string& link) {
    const LinkStatistics* known = find_link(there, link);
    if (known == nullptr || !known->up) add(SetLinkUp{link, true, false, space});
  }

  enum class AddressChange { none, add, renew };

  static AddressChange address_change(const ObservedSpace& there, const std::string& link,
                                      const Ipv4Prefix& wanted) {
    AddressChange change = AddressChange::add;
    for (const AddAddress& known : there.addresses) {
      if (known.link != link) continue;
      if (known.address != wanted) return AddressChange::renew;
      change = AddressChange::none;
    }
    return change;
  }

  void set_address(const ObservedSpace& there, const Space& space, const std::string& link,
                   const Ipv4Prefix& wanted) {
    const AddressChange change = address_change(there, link, wanted);
    if (change == AddressChange::none) return;
    // The last one first: with the first address of a network the kernel drops those after it.
    for (auto known = there.addresses.rbegin(); known != there.addresses.rend(); ++known) {
      if (known->link == link) add(undo(*known));
    }
    add(AddAddress{link, wanted, true, space});
  }

  Result<void> set_limit() {
    std::optional<EgressLimit> before;
    for (const SetEgressLimit& known : observed_.task.limits) {
      if (known.link == desired_.task_link) before = known.limit;
    }
    std::optional<EgressLimit> wanted;
    if (desired_.egress_bits_per_second) {
      auto limit = limit_of(*desired_.egress_bits_per_second);
      if (!limit) return tl::unexpected(limit.error());
      wanted = *limit;
    }
    if (wanted != before) {
      add(SetEgressLimit{desired_.task_link, wanted, before, desired_.space});
    }
    return {};
  }

  Result<EgressLimit> limit_of(std::uint64_t rate) {
    rate -= rate % 8;
    const std::string what = "egress limit of " + desired_.space + ": ";
    if (kernel_.htb) {
      if (!kernel_.fq_codel) {
        plan_.notes.push_back(what +
                              "connections share one queue, first in first out: this kernel has no "
                              "fq_codel (CONFIG_NET_SCH_FQ_CODEL)");
      }
      return EgressLimit{rate, Shaper::htb, kernel_.fq_codel};
    }
    if (!kernel_.tbf || rate > tbf_rate_max) {
      return fail(
          ErrorCode::unsupported,
          what + "need " + std::to_string(rate) +
              " bit/s: this kernel has no htb (CONFIG_NET_SCH_HTB)" +
              (kernel_.tbf ? ", and tbf holds at most " + std::to_string(tbf_rate_max) + " bit/s"
                           : ", nor tbf (CONFIG_NET_SCH_TBF)"));
    }
    plan_.notes.push_back(what + "by tbf: this kernel has no htb (CONFIG_NET_SCH_HTB)");
    return EgressLimit{rate, Shaper::tbf, false};
  }

  const DesiredIsolator& desired_;
  const ObservedIsolator& observed_;
  const KernelFeatures& kernel_;
  IsolatorPlan plan_;
};

}  // namespace

Result<IsolatorPlan> plan_isolator(const DesiredIsolator& desired, const ObservedIsolator& observed,
                                   const KernelFeatures& kernel) {
  return Planner(desired, observed, kernel).plan();
}

std::vector<Operation> plan_removal(const DesiredIsolator& desired,
                                    const ObservedIsolator& observed) {
  std::vector<Operation> operations;
  // The pair first: a process that lives on keeps its namespace alive, but not its link.
  const LinkStatistics* host = find_link(observed.host, desired.host_link);
  if (desired.connected && host != nullptr && host->peer != 0) {
    operations.push_back(CreateLink{desired.host_link, peer_name(desired), false});
  }
  if (observed.task.exists || observed.task.remnant) {
    operations.push_back(CreateNamespace{desired.space, false});
  }
  return operations;
}

}  // namespace netiso
