// Quotas: what is refused, how offers are cut to them, and what is taken back for them.
#pragma once

#include <algorithm>
#include <optional>
#include <utility>

#include "librm/alloc/impl/allocator_state.ipp"

namespace librm {

namespace detail {

inline bool is_within(std::string_view name, std::string_view role) {
  return name == role || is_below(name, role);
}

inline Amount amount_in(const Amounts& amounts, std::string_view name) {
  const auto found = amounts.find(name);
  return found == amounts.end() ? Amount{} : found->second;
}

}  // namespace detail

// --- how offers are cut ---

/// Whether unmet guarantees need all that is left of some scalar that is free there.
LIBRM_DECL bool Allocator::State::keeps_all(const Slice& slice) const {
  const auto& list = slice.open.list();
  return std::any_of(list.begin(), list.end(), [this](const Resource& entry) {
    return detail::is_common(entry) && std::holds_alternative<Amount>(entry.value) &&
           quotas.surplus(scalars.id_of(entry.name)) <= 0;
  });
}

/// Nobody takes what is left, perhaps because of quotas: to be looked at again when these allow.
LIBRM_DECL void Allocator::State::remember_kept(const Slice& slice) {
  if (!quotas.active() || !slice.unreserved) return;
  for (const Resource& entry : slice.open.list()) {
    if (!detail::is_common(entry) || !std::holds_alternative<Amount>(entry.value)) continue;
    const ScalarId id = scalars.id_of(entry.name);
    if (quotas.surplus(id) <= 0) return quotas.hold_back(slice.agent, id);
  }
  if (quotas.anybody_blocked()) quotas.hold_back(slice.agent, std::nullopt);
}

/// How much of a common scalar the role may get: no more than the limits on the way up, and for
/// somebody who is owed some of it, than that, else than what unmet guarantees leave.
LIBRM_DECL std::int64_t Allocator::State::most_for(const Role& role, const Role* owed,
                                                   ScalarId id) const {
  const std::int64_t unmet = owed == nullptr ? 0 : QuotaBook::unmet(*owed, id);
  std::int64_t most = unmet > 0 ? unmet : std::max<std::int64_t>(0, quotas.surplus(id));
  for (const Role* at = &role; at != &root; at = at->above()) {
    if (const auto room = QuotaBook::room(*at, id)) most = std::min(most, *room);
  }
  return most;
}

/// The part that the role may be offered: all that is reserved, and of what is common so much
/// that no quota is broken. Nothing common where a scalar is used up, unless it is forbidden to
/// the role anyway; and where somebody is owed a guarantee, nothing without some of that.
LIBRM_DECL Resources Allocator::State::chop(const Resources& part, const Role& role,
                                            const Role* owed) const {
  Resources common;
  Resources others;
  bool used_up = false;
  bool pays = owed == nullptr;
  for (const Resource& entry : part.list()) {
    const auto* amount = std::get_if<Amount>(&entry.value);
    if (!detail::is_common(entry)) {
      others.add(entry);
    } else if (amount == nullptr) {
      common.add(entry);
    } else {
      const ScalarId id = scalars.id_of(entry.name);
      const std::int64_t most = std::min(amount->milli, most_for(role, owed, id));
      if (most <= 0) used_up = used_up || !is_forbidden(role, id);
      if (most > 0 && owed != nullptr && QuotaBook::unmet(*owed, id) > 0) pays = true;
      Resource cut = entry;
      cut.value = Amount{std::max<std::int64_t>(0, most)};
      common.add(std::move(cut));
    }
  }
  if (!pays) return {};
  if (used_up && owed == nullptr) return others;
  return common += others;
}

LIBRM_DECL bool Allocator::State::is_forbidden(const Role& role, ScalarId id) const {
  for (const Role* at = &role; at != &root; at = at->above()) {
    for (const detail::ScalarAmount& limit : at->quota.limits) {
      if (limit.id == id && limit.milli == 0) return true;
    }
  }
  return false;
}

// --- what may be set ---

LIBRM_DECL Result<void> Allocator::State::check_quota(std::string_view name, const Quota& quota,
                                                      bool force) const {
  if (auto valid = librm::check_role(name); !valid) return valid;
  const std::string role = "role " + std::string(name) + ": ";
  if (name == any_role) {
    return fail(ErrorCode::invalid_argument, role + "what everybody may use has no quota");
  }
  for (const Amounts* part : {&quota.guarantees, &quota.limits}) {
    for (const auto& [scalar, amount] : *part) {
      if (amount.milli >= 0 && amount.milli < Amount::milli_max) continue;
      return fail(ErrorCode::invalid_argument,
                  role + scalar + ": " + to_string(amount) + " is not within 0..999999999999.999");
    }
  }
  for (const auto& [scalar, guarantee] : quota.guarantees) {
    for (const Role* at = find_role(name); at != nullptr && at != &root; at = at->above()) {
      const bool own = at->name == name;
      const Quota* bound = own ? &quota : at->quota.quota ? &*at->quota.quota : nullptr;
      if (bound == nullptr || bound->limits.count(scalar) == 0 || (force && !own)) continue;
      const Amount limit = bound->limits.at(scalar);
      if (guarantee <= limit) continue;
      return fail(ErrorCode::invalid_argument,
                  role + scalar + ": guarantee " + to_string(guarantee) + " is above the limit " +
                      to_string(limit) + (own ? "" : " of role " + at->name));
    }
  }
  return {};
}

/// Whether roles below are promised no more than the role may get.
LIBRM_DECL Result<void> Allocator::State::check_children(std::string_view name,
                                                         const Quota& quota) const {
  for (const auto& [other, role] : roles) {
    if (!role.quota.quota || !is_below(other, name)) continue;
    for (const auto& [scalar, guarantee] : role.quota.quota->guarantees) {
      const auto limit = quota.limits.find(scalar);
      if (limit == quota.limits.end() || guarantee <= limit->second) continue;
      return fail(ErrorCode::invalid_argument, "role " + std::string(name) + ": " + scalar +
                                                   ": limit " + to_string(limit->second) +
                                                   " is below the guarantee " +
                                                   to_string(guarantee) + " of role " + other);
    }
  }
  return {};
}

/// Whether what is used and what there is allow it now.
LIBRM_DECL Result<void> Allocator::State::check_room(std::string_view name,
                                                     const Quota& quota) const {
  const std::string role = "role " + std::string(name) + ": ";
  const detail::Quantities used = consumed(name);
  for (const auto& [scalar, limit] : quota.limits) {
    if (!scalars.knows(scalar)) continue;
    const Amount now{used[scalars.id_of(scalar)]};
    if (now <= limit) continue;
    return fail(ErrorCode::failed_precondition, role + scalar + ": limit " + to_string(limit) +
                                                    " is below the " + to_string(now) + " in use");
  }
  for (const auto& [scalar, guarantee] : quota.guarantees) {
    const std::int64_t sum = promised(scalar, name, guarantee.milli);
    const Amount pool{scalars.knows(scalar) ? scalars.totals()[scalars.id_of(scalar)] : 0};
    if (Amount{sum} <= pool) continue;
    return fail(ErrorCode::resource_exhausted, role + scalar + ": all guarantees together are " +
                                                   to_string(Amount{sum}) + ", the cluster has " +
                                                   to_string(pool));
  }
  return {};
}

/// All guarantees together, if this role's were so much: of each role its own or, if that is more,
/// the sum of those below it.
LIBRM_DECL std::int64_t Allocator::State::promised(std::string_view scalar, std::string_view name,
                                                   std::int64_t milli) const {
  std::map<const detail::Node*, std::int64_t> below;
  // A role's name is a prefix of those below it, so that backwards these come first.
  for (auto at = roles.rbegin(); at != roles.rend(); ++at) {
    const Role& role = at->second;
    std::int64_t own = 0;
    if (role.quota.quota) own = detail::amount_in(role.quota.quota->guarantees, scalar).milli;
    if (role.name == name) own = milli;
    below[role.parent] += std::max(own, below[&role]);
  }
  return below[&root];
}

/// What counts for quotas in the role and below it, outstanding offers aside.
LIBRM_DECL detail::Quantities Allocator::State::consumed(std::string_view name) const {
  detail::Quantities sum;
  detail::ScalarAmounts part;
  const auto add = [&](const Resources& resources, auto wanted) {
    scalars.collect(resources, wanted, part);
    for (const detail::ScalarAmount& amount : part) sum.add(amount.id, amount.milli);
  };
  for (const auto& [id, agent] : agents) {
    for (const Holding& holding : agent.holdings) {
      if (detail::is_within(holding.member->role->name, name)) {
        add(holding.resources, detail::is_common);
      }
    }
    add(agent.total, [&](const Resource& entry) {
      return !entry.reservations.empty() && detail::is_within(entry.role(), name);
    });
  }
  return sum;
}

// --- keeping count ---

LIBRM_DECL detail::Role& Allocator::State::nearest_role(std::string_view name) {
  while (true) {
    if (Role* role = find_role(name)) return *role;
    const std::size_t slash = name.rfind('/');
    if (slash == name.npos) return root;
    name = name.substr(0, slash);
  }
}

/// An agent brings what is reserved, or takes it away.
LIBRM_DECL void Allocator::State::charge_reserved(const Resources& total, int sign) {
  for (const Resource& entry : total.list()) {
    const auto* amount = std::get_if<Amount>(&entry.value);
    if (amount == nullptr || entry.reservations.empty()) continue;
    const ScalarId id = scalars.id_of(entry.name);
    const auto at = reserved.try_emplace(std::string(entry.role())).first;
    at->second.add(id, sign * amount->milli);
    if (at->second.is_zero()) reserved.erase(at);
    if (quotas.active()) {
      quotas.charge(nearest_role(entry.role()), {{id, amount->milli}}, sign);
    }
  }
}

/// What was reserved for a role, or for some below it, before it was known; those above were
/// charged already.
LIBRM_DECL void Allocator::State::charge_new_role(Role& role) {
  for (auto at = reserved.lower_bound(role.name);
       at != reserved.end() && at->first.starts_with(role.name); ++at) {
    if (!detail::is_within(at->first, role.name)) continue;
    for (ScalarId id = 0; id < at->second.size(); ++id) {
      role.quota.charged.add(id, at->second[id]);
    }
  }
}

/// Everything anew, after a quota was set or removed.
LIBRM_DECL void Allocator::State::recount() {
  tree.refresh(root);
  quotas.reset_free();
  quotas.reset(root);
  for (auto& [name, role] : roles) quotas.reset(role);
  for (auto& [name, role] : roles) quotas.settle(role);
  if (!quotas.active()) return;
  for (auto& [id, agent] : agents) {
    if (agent.active) quotas.add_free(agent.free, +1);
    for (const Holding& holding : agent.holdings) {
      quotas.charge(*holding.member->role, holding.resources, +1);
    }
  }
  for (const auto& [name, amounts] : reserved) {
    detail::ScalarAmounts list;
    for (ScalarId id = 0; id < amounts.size(); ++id) {
      if (amounts[id] != 0) list.push_back({id, amounts[id]});
    }
    quotas.charge(nearest_role(name), list, +1);
  }
  for (auto& [id, entry] : offers) quotas.charge(*entry.member->role, entry.offer.resources, +1);
}

/// Takes offers back, the latest first, until the role is within its limit, and until what is
/// free covers all unmet guarantees or nothing is left that could be taken back.
LIBRM_DECL void Allocator::State::rescind_for_quota(const Role& role) {
  const auto in_the_way = [&](const OfferEntry& entry) {
    detail::ScalarAmounts amounts;
    scalars.collect(entry.offer.resources, detail::is_common, amounts);
    return std::any_of(amounts.begin(), amounts.end(), [&](const detail::ScalarAmount& amount) {
      bool guaranteed = false;
      bool own = false;
      for (const Role* at = entry.member->role; at != &root; at = at->above()) {
        own = own || at == &role;
        guaranteed = guaranteed || QuotaBook::is_within_guarantee(*at, amount.id);
      }
      if (own && QuotaBook::is_over(role, amount.id)) return true;
      return quotas.surplus(amount.id) < 0 && !guaranteed;
    });
  };
  const auto& names = scalars.names();
  const bool any = std::any_of(names.begin(), names.end(), [&](const auto& name) {
    return quotas.surplus(name.second.id) < 0 || QuotaBook::is_over(role, name.second.id);
  });
  for (auto at = any ? offers.end() : offers.begin(); at != offers.begin();) {
    --at;
    if (!in_the_way(at->second)) continue;
    rescinded.push_back(at->first);
    const OfferId id = at->first;
    withdraw(at);
    at = offers.lower_bound(id);
  }
}

}  // namespace librm
