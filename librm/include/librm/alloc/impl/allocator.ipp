// What changes the allocator's state: roles, frameworks, agents, offers and holdings.
#pragma once

#include <algorithm>
#include <utility>

#include "librm/alloc/allocator.hpp"
#include "librm/alloc/impl/allocator_clone.ipp"
#include "librm/alloc/impl/allocator_offers.ipp"
#include "librm/alloc/impl/allocator_quota.ipp"
#include "librm/alloc/impl/allocator_run.ipp"
#include "librm/alloc/impl/allocator_state.ipp"
#include "librm/alloc/impl/allocator_views.ipp"
#include "librm/resource/fits.hpp"

namespace librm {

LIBRM_DECL Allocator::Allocator(AllocatorOptions options)
    : state_(std::make_unique<State>(options)) {}

LIBRM_DECL Allocator::~Allocator() = default;

LIBRM_DECL Allocator::Allocator(Copied, std::unique_ptr<State> state) : state_(std::move(state)) {}

// --- roles and frameworks ---

LIBRM_DECL Result<void> Allocator::set_weight(std::string_view role, std::int64_t weight_milli) {
  constexpr std::int64_t weight_milli_max = 1'000'000'000;
  if (auto valid = librm::check_role(role); !valid) return valid;
  if (weight_milli < 1 || weight_milli > weight_milli_max) {
    return fail(ErrorCode::invalid_argument, "role " + std::string(role) + ": weight " +
                                                 std::to_string(weight_milli) +
                                                 " is not within 1..1000000000 thousandths");
  }
  detail::Role& entry = state_->make_role(role);
  state_->tree.set_weight(entry, weight_milli);
  entry.weight_set = true;
  ++state_->plan_generation;
  return {};
}

LIBRM_DECL Result<void> Allocator::State::check_wishes(FrameworkId framework,
                                                       const FrameworkWishes& wishes) const {
  const std::string name = "framework " + to_string(framework);
  if (!framework || wishes.roles.empty()) {
    return fail(ErrorCode::invalid_argument, name + ": needs an id and at least one role");
  }
  for (const std::string& role : wishes.roles) {
    if (auto valid = librm::check_role(role); !valid) return valid;
    const auto allows = [&](const std::string& allowed) {
      return detail::is_within(role, allowed);
    };
    const bool allowed =
        options.roles.empty() || std::any_of(options.roles.begin(), options.roles.end(), allows);
    if (!allowed) {
      return fail(ErrorCode::permission_denied, name + ": role " + role + " is not allowed here");
    }
  }
  return {};
}

LIBRM_DECL Result<void> Allocator::add_framework(FrameworkId framework, FrameworkWishes wishes) {
  if (auto valid = state_->check_wishes(framework, wishes); !valid) return valid;
  if (state_->find_registered(framework) != nullptr) {
    return fail(ErrorCode::already_exists,
                "framework " + to_string(framework) + " is registered already");
  }
  detail::Framework& entry = state_->make_framework(framework);
  entry.registered = true;
  entry.active = true;
  state_->set_wishes(entry, std::move(wishes));
  return {};
}

LIBRM_DECL Result<void> Allocator::add_framework(FrameworkId framework,
                                                 std::set<std::string> roles) {
  FrameworkWishes wishes;
  wishes.roles = std::move(roles);
  return add_framework(framework, std::move(wishes));
}

LIBRM_DECL Result<std::vector<OfferId>> Allocator::update_framework(FrameworkId framework,
                                                                    FrameworkWishes wishes) {
  if (auto valid = state_->check_wishes(framework, wishes); !valid) {
    return tl::unexpected<Error>(valid.error());
  }
  detail::Framework* entry = state_->find_registered(framework);
  if (entry == nullptr) {
    return fail(ErrorCode::not_found, "framework " + to_string(framework) + " is not registered");
  }
  std::vector<OfferId> left;
  for (const OfferId id : entry->offers) {
    if (!wishes.roles.contains(state_->offers.at(id).offer.role)) left.push_back(id);
  }
  state_->withdraw_all(left);
  std::vector<detail::Member*> unwanted;
  for (auto& [role, member] : entry->members) {
    if (wishes.roles.contains(role) || !member.wanted) continue;
    member.wanted = false;
    member.suppressed = false;
    state_->clear_filters(member);
    state_->requeue(member);
    unwanted.push_back(&member);
  }
  state_->set_wishes(*entry, std::move(wishes));
  for (detail::Member* member : unwanted) state_->forget_if_unused(*member);
  return left;
}

LIBRM_DECL void Allocator::State::set_wishes(Framework& framework, FrameworkWishes wishes) {
  // Who wants more than before may take what it was not offered.
  if (wishes.revocable != framework.revocable ||
      wishes.min_allocatable != framework.min_allocatable) {
    all_dirty = true;
  }
  framework.revocable = wishes.revocable;
  framework.min_allocatable = std::move(wishes.min_allocatable);
  for (const std::string& role : wishes.roles) {
    Member& member = make_member(framework, role);
    member.wanted = true;
    requeue(member);
  }
  review_demands(framework);
}

LIBRM_DECL std::vector<OfferId> Allocator::remove_framework(FrameworkId framework) {
  std::vector<OfferId> ended = deactivate_framework(framework);
  detail::Framework* entry = state_->find_registered(framework);
  if (entry == nullptr) return ended;
  entry->registered = false;
  entry->demands.clear();
  ++state_->plan_generation;
  std::vector<detail::Member*> members;
  for (auto& [role, member] : entry->members) {
    member.wanted = false;
    member.suppressed = false;
    members.push_back(&member);
  }
  // With the last of them the framework goes, too.
  for (detail::Member* member : members) state_->forget_if_unused(*member);
  return ended;
}

LIBRM_DECL std::vector<OfferId> Allocator::deactivate_framework(FrameworkId framework) {
  detail::Framework* entry = state_->find_registered(framework);
  if (entry == nullptr) return {};
  entry->active = false;
  for (auto& [role, member] : entry->members) {
    state_->requeue(member);
    state_->clear_filters(member);
  }
  state_->review_demands(*entry);
  return state_->withdraw_all(*entry);
}

LIBRM_DECL void Allocator::activate_framework(FrameworkId framework) {
  detail::Framework* entry = state_->find_registered(framework);
  if (entry == nullptr) return;
  entry->active = true;
  for (auto& [role, member] : entry->members) state_->requeue(member);
  state_->review_demands(*entry);
}

LIBRM_DECL void Allocator::suppress(FrameworkId framework, const std::set<std::string>& roles) {
  detail::Framework* entry = state_->find_registered(framework);
  if (entry == nullptr) return;
  State::for_wanted(*entry, roles, [&](detail::Member& member) {
    member.suppressed = true;
    state_->requeue(member);
  });
  state_->review_demands(*entry);
}

LIBRM_DECL void Allocator::revive(FrameworkId framework, const std::set<std::string>& roles) {
  detail::Framework* entry = state_->find_registered(framework);
  if (entry == nullptr) return;
  State::for_wanted(*entry, roles, [&](detail::Member& member) {
    member.suppressed = false;
    state_->clear_filters(member);
    state_->requeue(member);
  });
  state_->review_demands(*entry);
}

LIBRM_DECL Result<void> Allocator::set_demands(FrameworkId framework, std::vector<Demand> demands) {
  detail::Framework* entry = state_->find_registered(framework);
  if (entry == nullptr) {
    return fail(ErrorCode::not_found, "framework " + to_string(framework) + " is not registered");
  }
  if (auto valid = state_->check_demands(*entry, demands); !valid) return valid;
  std::vector<detail::DemandEntry> known = std::exchange(entry->demands, {});
  for (Demand& demand : demands) {
    const auto same = std::find_if(known.begin(), known.end(),
                                   [&](const auto& old) { return old.demand == demand; });
    if (same == known.end()) {
      entry->demands.push_back({std::move(demand), std::nullopt, false, std::nullopt});
    } else {
      entry->demands.push_back(std::move(*same));
      known.erase(same);
    }
  }
  std::sort(entry->demands.begin(), entry->demands.end(), [](const auto& a, const auto& b) {
    return std::pair(a.demand.order, a.demand.id) < std::pair(b.demand.order, b.demand.id);
  });
  for (const detail::DemandEntry& old : known) {
    if (old.earmark) state_->dissolve(state_->earmarks.at(*old.earmark));
  }
  state_->review_demands(*entry);
  return {};
}

LIBRM_DECL Result<void> Allocator::State::check_demands(const Framework& framework,
                                                        const std::vector<Demand>& demands) const {
  std::set<DemandId> ids;
  for (const Demand& demand : demands) {
    const std::string name =
        "framework " + to_string(framework.id) + ": demand " + to_string(demand.id) + ": ";
    const auto refuse = [&](std::string text) {
      return fail(ErrorCode::invalid_argument, name + std::move(text));
    };
    if (!demand.id) return refuse("needs an id");
    if (!ids.insert(demand.id).second) return refuse("is named twice");
    const auto member = framework.members.find(demand.role);
    if (member == framework.members.end() || !member->second.wanted) {
      return refuse("the framework is not registered in role " + demand.role);
    }
    if (demand.shape.amounts.empty()) return refuse("needs a shape");
    if (demand.count_min < 1 || demand.count_max < demand.count_min) {
      return refuse("count " + std::to_string(demand.count_min) + ".." +
                    std::to_string(demand.count_max) + " is not a range of 1 or more nodes");
    }
    for (const Constraint& constraint : demand.constraints) {
      if (auto valid = check_pattern(constraint); !valid) return refuse(valid.error().message);
    }
  }
  return {};
}

/// Whether its pattern is one: it would hold nowhere, and the demand wait for ever.
LIBRM_DECL Result<void> Allocator::State::check_pattern(const Constraint& constraint) const {
  const bool pattern =
      constraint.kind == ConstraintKind::like || constraint.kind == ConstraintKind::unlike;
  if (!pattern) return {};
  if (options.matcher == nullptr) {
    return fail(ErrorCode::unsupported, to_string(constraint) + ": patterns are not understood");
  }
  auto matched = options.matcher->matches(constraint.value, "");
  if (!matched) return tl::unexpected<Error>(matched.error());
  return {};
}

// --- quotas ---

LIBRM_DECL Result<std::vector<OfferId>> Allocator::set_quota(std::string_view role,
                                                             const Quota& quota, bool force) {
  // It exists from here on, so that roles above it are found; if refused it goes again.
  if (auto valid = librm::check_role(role); !valid) return tl::unexpected<Error>(valid.error());
  detail::Role& entry = state_->make_role(role);
  auto allowed = state_->check_quota(role, quota, force);
  if (allowed && !force) allowed = state_->check_children(role, quota);
  if (allowed && !force) allowed = state_->check_room(role, quota);
  if (!allowed) {
    state_->forget_if_unused(entry);
    return tl::unexpected<Error>(allowed.error());
  }
  const bool first = !state_->quotas.active();
  state_->tree.refresh(state_->root);
  state_->quotas.set(entry, quota);
  if (first) state_->recount();
  std::vector<OfferId> taken = std::exchange(state_->rescinded, {});
  state_->rescind_for_quota(entry);
  taken.swap(state_->rescinded);
  state_->all_dirty = true;
  ++state_->plan_generation;
  return taken;
}

LIBRM_DECL void Allocator::remove_quota(std::string_view role) {
  detail::Role* entry = state_->find_role(role);
  if (entry == nullptr || !entry->quota.quota) return;
  state_->tree.refresh(state_->root);
  state_->quotas.set(*entry, std::nullopt);
  if (!state_->quotas.active()) state_->recount();
  state_->all_dirty = true;
  ++state_->plan_generation;
  state_->forget_if_unused(*entry);
}

// --- agents ---

namespace detail {
inline Result<void> check_holder(FrameworkId framework, std::string_view role) {
  if (framework) return librm::check_role(role);
  return fail(ErrorCode::invalid_argument, "held resources need a framework");
}
}  // namespace detail

LIBRM_DECL Result<void> Allocator::add_agent(AgentId agent, std::string hostname, Resources total,
                                             Attributes attributes, const std::vector<Held>& held) {
  const std::string name = "agent " + to_string(agent);
  if (!agent) return fail(ErrorCode::invalid_argument, name + ": needs an id");
  if (state_->agents.contains(agent)) return fail(ErrorCode::already_exists, name + " is known");
  if (auto room = state_->scalars.check_room(total); !room) {
    return fail(room.error().code, name + ": " + room.error().message);
  }
  Resources free = total;
  for (const Held& part : held) {
    if (auto valid = detail::check_holder(part.framework, part.role); !valid) return valid;
    if (const auto short_of = shortage(part.resources, free)) {
      return fail(ErrorCode::resource_exhausted,
                  name + ": held by " + to_string(part.framework) + ": " + to_string(*short_of));
    }
    free -= part.resources - detail::shared_part(part.resources);
  }
  detail::Agent& entry = state_->agents[agent];
  entry.id = agent;
  entry.hostname = std::move(hostname);
  entry.free = total;
  entry.total = std::move(total);
  entry.attributes = std::move(attributes);
  state_->slots.enter(entry);
  state_->scalars.add(entry.total);
  state_->tree.touch_pool();
  ++state_->plan_generation;
  state_->free_changed(entry, entry.free, +1);
  state_->charge_reserved(entry.total, +1);
  for (const Held& part : held) {
    if (part.resources.empty()) continue;
    detail::Framework& framework = state_->make_framework(part.framework);
    state_->hold(entry, state_->make_member(framework, part.role), part.resources, part.until);
  }
  state_->touch(entry);
  return {};
}

LIBRM_DECL std::vector<OfferId> Allocator::remove_agent(AgentId agent) {
  detail::Agent* entry = state_->find_agent(agent);
  if (entry == nullptr) return {};
  std::vector<OfferId> ended = deactivate_agent(agent);
  state_->filters.clear(*entry);
  entry->ends.clear();
  while (!entry->holdings.empty()) {
    const detail::Holding& last = entry->holdings.back();
    state_->release(*entry, *last.member, Resources(last.resources), std::nullopt);
  }
  state_->charge_reserved(entry->total, -1);
  state_->quotas.let_go(*entry);
  state_->slots.leave(*entry);
  state_->scalars.remove(entry->total);
  state_->tree.touch_pool();
  ++state_->plan_generation;
  std::erase(state_->dirty_agents, entry);
  state_->agents.erase(agent);
  return ended;
}

LIBRM_DECL std::vector<OfferId> Allocator::deactivate_agent(AgentId agent) {
  detail::Agent* entry = state_->find_agent(agent);
  if (entry == nullptr) return {};
  std::vector<OfferId> ended = state_->withdraw_all(std::vector<OfferId>(entry->offers));
  state_->set_active(*entry, false);
  state_->lose_agent(*entry);
  return ended;
}

LIBRM_DECL void Allocator::activate_agent(AgentId agent) {
  detail::Agent* entry = state_->find_agent(agent);
  if (entry == nullptr) return;
  state_->set_active(*entry, true);
  ++state_->plan_generation;
}

LIBRM_DECL void Allocator::set_available_until(AgentId agent, std::optional<WallTime> until) {
  detail::Agent* entry = state_->find_agent(agent);
  if (entry != nullptr) entry->available_until = until;
}

// --- holdings ---

LIBRM_DECL Result<void> Allocator::hold(FrameworkId framework, AgentId agent, std::string_view role,
                                        const Resources& resources, std::optional<Instant> until) {
  if (auto valid = detail::check_holder(framework, role); !valid) return valid;
  const std::string name = "agent " + to_string(agent);
  detail::Agent* entry = state_->find_agent(agent);
  if (entry == nullptr) return fail(ErrorCode::not_found, name + " is not known");
  if (const auto short_of = shortage(resources, entry->free)) {
    return fail(ErrorCode::resource_exhausted, name + ": " + to_string(*short_of));
  }
  if (resources.empty()) return {};
  detail::Member& member = state_->make_member(state_->make_framework(framework), role);
  state_->hold(*entry, member, resources, until);
  state_->touch(*entry);
  return {};
}

LIBRM_DECL void Allocator::release(FrameworkId framework, AgentId agent, std::string_view role,
                                   const Resources& resources, std::optional<Instant> until) {
  if (resources.empty()) return;
  detail::Agent* entry = state_->find_agent(agent);
  detail::Framework* holder = state_->find_framework(framework);
  LIBRM_CHECK(entry != nullptr && holder != nullptr, "what is released was held");
  const auto member = holder->members.find(role);
  LIBRM_CHECK(member != holder->members.end(), "what is released was held");
  state_->release(*entry, member->second, resources, until);
}

}  // namespace librm
