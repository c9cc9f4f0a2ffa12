// Decline filters: who does not want what is free on which agent, until when, and why.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "librm/alloc/impl/entries.hpp"
#include "librm/base/check.hpp"

namespace librm::detail {

/// The least that contains both.
inline Resources join(Resources left, const Resources& right) {
  const Resources before = left;
  for (Resource entry : right.list()) {
    Resources one;
    one.add(entry);
    if (before.contains(one)) continue;
    if (auto* amount = std::get_if<Amount>(&entry.value)) {
      for (const Resource& known : before.list()) {
        const auto* has = std::get_if<Amount>(&known.value);
        if (has != nullptr && !known.volume && key_of(known) == key_of(entry)) *amount -= *has;
      }
    }
    left.add(std::move(entry));
  }
  return left;
}

/// Filters are kept with their agent; this knows when the next one ends, the reasons' texts, and
/// the members by number. An agent costs one entry in the queue of ends, however many filters.
class FilterBook {
  // First, because its type is deduced.
  template <class AnyAgent>
  static auto lower_bound(AnyAgent& agent, const Member& member, bool lent) {
    return std::lower_bound(agent.filters.begin(), agent.filters.end(),
                            std::pair(member.number, lent),
                            [](const FilterEntry& filter, const auto& key) {
                              return std::pair(filter.member, filter.lent) < key;
                            });
  }

 public:
  static constexpr std::size_t reason_bytes_max = 255;

  void enroll(Member& member) {
    if (unused_numbers_.empty()) {
      unused_numbers_.push_back(static_cast<std::uint32_t>(members_.size()));
      members_.push_back(nullptr);
      marks_.push_back(0);
    }
    member.number = unused_numbers_.back();
    unused_numbers_.pop_back();
    members_[member.number] = &member;
  }
  void expel(Member& member) {
    LIBRM_CHECK(member.filtered_on.empty(), "a member's filters end before it does");
    members_[member.number] = nullptr;
    marks_[member.number] = 0;
    unused_numbers_.push_back(member.number);
  }

  /// Adds or replaces the member's filter on the agent: it has one for all, and one for loans.
  void refuse(Agent& agent, Member& member, Resources refused, Instant expires,
              std::string_view reason, bool lent) {
    const FilterEntry filter{member.number, share_refusal(agent, std::move(refused)), expires,
                             share_reason(reason.substr(0, reason_bytes_max)), lent};
    const auto at = lower_bound(agent, member, lent);
    if (at != agent.filters.end() && at->member == member.number && at->lent == lent) {
      unshare(agent, *at);
      *at = filter;
      set_end(agent, earliest_end(agent));
      return;
    }
    agent.filters.insert(at, filter);
    auto& agents = member.filtered_on;
    const auto place = std::lower_bound(agents.begin(), agents.end(), agent.id);
    if (place == agents.end() || *place != agent.id) agents.insert(place, agent.id);
    if (!agent.filter_end || expires < *agent.filter_end) set_end(agent, expires);
  }

  static const FilterEntry* find(const Agent& agent, const Member& member, bool lent) {
    const auto at = lower_bound(agent, member, lent);
    const bool found = at != agent.filters.end() && at->member == member.number && at->lent == lent;
    return found ? &*at : nullptr;
  }

  /// Whether what would be offered there is no more than what was refused.
  static bool holds(const Agent& agent, const FilterEntry& filter, const Resources& available) {
    return agent.refusals[filter.refusal].resources.contains(available);
  }
  const std::string& reason(const FilterEntry& filter) const {
    return *reasons_[filter.reason].text;
  }

  /// Marks the members whose filter on the agent holds against `available(member)`, what they
  /// would be offered; valid until the next call. `uniform`: that is the same for all of them.
  template <class Available>
  void mark(const Agent& agent, bool lent, bool uniform, Available available) {
    ++mark_;
    std::optional<std::uint32_t> refusal;
    const Role* role = nullptr;
    bool held = false;
    for (const FilterEntry& filter : agent.filters) {
      if (filter.lent && !lent) continue;
      if (refusal != filter.refusal || (!uniform && role != members_[filter.member]->role)) {
        const Member& member = *members_[filter.member];
        held = agent.refusals[filter.refusal].resources.contains(available(member));
        refusal = filter.refusal;
        role = member.role;
      }
      if (held) marks_[filter.member] = mark_;
    }
  }
  bool marked(const Member& member) const { return marks_[member.number] == mark_; }

  std::optional<Instant> next_end() const {
    if (ends_.empty()) return std::nullopt;
    return ends_.begin()->first.first;
  }
  /// Removes the filters that end by `now` from the agent where one ends first; null: none does.
  Agent* end_next(Instant now) {
    if (ends_.empty() || ends_.begin()->first.first > now) return nullptr;
    Agent* agent = ends_.begin()->second;
    remove_if(*agent, [now](const FilterEntry& filter) { return filter.expires <= now; });
    return agent;
  }
  void clear(Agent& agent) {
    remove_if(agent, [](const FilterEntry&) { return true; });
  }
  void clear(Agent& agent, const Member& member) {
    remove_if(agent, [&](const FilterEntry& filter) { return filter.member == member.number; });
  }

  /// Those of another allocator, whose agents and members have been copied with their filters.
  template <class MapAgent, class MapMember>
  void adopt(const FilterBook& other, MapAgent agent, MapMember member) {
    *this = other;
    for (Member*& one : members_) one = member(one);
    for (auto& [end, one] : ends_) one = agent(one);
    for (const auto& [text, id] : reason_ids_) reasons_[id].text = &text;
  }

  std::size_t distinct_reasons() const { return reason_ids_.size(); }

 private:
  struct Reason {
    const std::string* text = nullptr;  ///< the key in reason_ids_
    std::uint32_t users = 0;
  };

  template <class Predicate>
  void remove_if(Agent& agent, Predicate predicate) {
    auto kept = agent.filters.begin();
    for (auto at = agent.filters.begin(); at != agent.filters.end();) {
      const std::uint32_t member = at->member;
      bool any = false;
      for (; at != agent.filters.end() && at->member == member; ++at) {
        if (predicate(*at)) {
          unshare(agent, *at);
          continue;
        }
        *kept++ = *at;
        any = true;
      }
      if (any) continue;
      auto& agents = members_[member]->filtered_on;
      agents.erase(std::lower_bound(agents.begin(), agents.end(), agent.id));
    }
    agent.filters.erase(kept, agent.filters.end());
    if (agent.filters.empty()) agent.refusals.clear();
    set_end(agent, earliest_end(agent));
  }

  static std::optional<Instant> earliest_end(const Agent& agent) {
    std::optional<Instant> end;
    for (const FilterEntry& filter : agent.filters) {
      if (!end || filter.expires < *end) end = filter.expires;
    }
    return end;
  }
  void set_end(Agent& agent, std::optional<Instant> end) {
    if (agent.filter_end == end) return;
    if (agent.filter_end) ends_.erase({*agent.filter_end, agent.id});
    if (end) ends_.emplace(std::pair(*end, agent.id), &agent);
    agent.filter_end = end;
  }

  static std::uint32_t share_refusal(Agent& agent, Resources refused) {
    auto unused = agent.refusals.end();
    for (auto at = agent.refusals.begin(); at != agent.refusals.end(); ++at) {
      if (at->users == 0) {
        unused = at;
      } else if (at->resources == refused) {
        ++at->users;
        return static_cast<std::uint32_t>(at - agent.refusals.begin());
      }
    }
    if (unused == agent.refusals.end()) unused = agent.refusals.emplace(unused);
    *unused = {std::move(refused), 1};
    return static_cast<std::uint32_t>(unused - agent.refusals.begin());
  }

  std::uint32_t share_reason(std::string_view text) {
    auto at = reason_ids_.find(text);
    if (at == reason_ids_.end()) {
      if (unused_reasons_.empty()) {
        unused_reasons_.push_back(static_cast<std::uint32_t>(reasons_.size()));
        reasons_.emplace_back();
      }
      at = reason_ids_.emplace(text, unused_reasons_.back()).first;
      unused_reasons_.pop_back();
      reasons_[at->second].text = &at->first;
    }
    ++reasons_[at->second].users;
    return at->second;
  }

  void unshare(Agent& agent, const FilterEntry& filter) {
    Refusal& refusal = agent.refusals[filter.refusal];
    if (--refusal.users == 0) refusal.resources = {};
    Reason& reason = reasons_[filter.reason];
    if (--reason.users > 0) return;
    reason_ids_.erase(reason_ids_.find(*reason.text));
    reason.text = nullptr;
    unused_reasons_.push_back(filter.reason);
  }

  std::vector<Member*> members_;
  std::vector<std::uint64_t> marks_;  ///< by member number
  std::uint64_t mark_ = 0;
  std::vector<std::uint32_t> unused_numbers_;
  std::map<std::string, std::uint32_t, std::less<>> reason_ids_;
  std::vector<Reason> reasons_;
  std::vector<std::uint32_t> unused_reasons_;
  std::map<std::pair<Instant, AgentId>, Agent*> ends_;
};

}  // namespace librm::detail
