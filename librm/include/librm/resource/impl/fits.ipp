// Whether a request fits, what is short where it doesn't, and which concrete parts it takes.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "librm/base/check.hpp"
#include "librm/resource/fits.hpp"
#include "librm/resource/impl/print.ipp"
#include "librm/resource/impl/resources.ipp"

namespace librm {

namespace detail {

/// The part of an entry that covers up to `need`: whole members of ranges and sets.
inline Resource take_part(const Resource& entry, Amount need) {
  Resource part{.name = entry.name,
                .reservations = entry.reservations,
                .revocable = entry.revocable,
                .value = {}};
  const auto members = static_cast<std::uint64_t>((need.milli + 999) / 1000);
  if (const auto* amount = std::get_if<Amount>(&entry.value)) {
    part.value = std::min(*amount, need);
  } else if (const auto* ranges = std::get_if<Ranges>(&entry.value)) {
    part.value = ranges->lowest(std::min(members, ranges->count()));
  } else {
    const auto& set = std::get<StringSet>(entry.value);
    const auto count = static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(members, set.size()));
    part.value = StringSet(set.begin(), set.begin() + count);
  }
  return part;
}

/// What fewest others may use is taken first: the deepest role's. All are usable by one role, so
/// a deeper one is a longer one.
inline bool goes_first(const Resource& a, const Resource& b) {
  if (a.revocable != b.revocable) return b.revocable;
  if (a.reservations.empty() || b.reservations.empty()) {
    return !a.reservations.empty() && b.reservations.empty();
  }
  return a.role().size() > b.role().size();
}

/// How much of `wanted` an entry of the same key has; of ranges and sets, of just those members.
inline Amount present_part(const Resource& wanted, const Resource& there) {
  if (const auto* ranges = std::get_if<Ranges>(&wanted.value)) {
    Ranges missing = *ranges;
    missing -= std::get<Ranges>(there.value);
    return saturated(ranges->count() - missing.count());
  }
  if (const auto* set = std::get_if<StringSet>(&wanted.value)) {
    const auto& members = std::get<StringSet>(there.value);
    return Amount::units(std::count_if(set->begin(), set->end(), [&](const std::string& member) {
      return std::binary_search(members.begin(), members.end(), member);
    }));
  }
  return amount_of(there);
}

}  // namespace detail

LIBRM_DECL std::string to_string(const Shortage& shortage) {
  return shortage.name + ": need " + to_string(shortage.need) + ", free " +
         to_string(shortage.free);
}

LIBRM_DECL std::optional<Shortage> fits(const Request& request, const Resources& free,
                                        std::string_view role, Revocable revocable) {
  // Both sides are sorted by name, so one walk over each is enough.
  auto entry = free.list().begin();
  const auto end = free.list().end();
  for (const auto& [name, need] : request.amounts) {
    Amount have;
    while (entry != end && entry->name < name) ++entry;
    for (; entry != end && entry->name == name; ++entry) {
      // Clamped at each step, so that no number of entries overflows the sum.
      if (!entry->volume && usable(*entry, role, revocable)) {
        have = {std::min((have + amount_of(*entry)).milli, Amount::milli_max)};
      }
    }
    if (have < need) return Shortage{name, need, have};
  }
  return std::nullopt;
}

LIBRM_DECL Result<Resources> select(const Request& request, const Resources& free,
                                    std::string_view role, Revocable revocable) {
  if (const auto shortage = fits(request, free, role, revocable)) {
    return fail(ErrorCode::resource_exhausted, to_string(*shortage));
  }
  Resources picked;
  std::vector<const Resource*> candidates;
  for (const auto& [name, need] : request.amounts) {
    candidates.clear();
    for (const Resource& entry : free.list()) {
      const bool counts = entry.name == name && !entry.volume && usable(entry, role, revocable);
      if (counts) candidates.push_back(&entry);
    }
    std::stable_sort(
        candidates.begin(), candidates.end(),
        [](const Resource* a, const Resource* b) { return detail::goes_first(*a, *b); });
    Amount left = need;
    for (const Resource* entry : candidates) {
      if (left.milli <= 0) break;
      Resource part = detail::take_part(*entry, left);
      left -= std::min(left, amount_of(part));
      picked.add(std::move(part));
    }
    LIBRM_CHECK(left.milli <= 0, "fits() said that there is enough");
  }
  return picked;
}

LIBRM_DECL std::optional<Shortage> shortage(const Resources& need, const Resources& free) {
  for (const Resource& entry : need.list()) {
    const auto same = std::find_if(
        free.list().begin(), free.list().end(),
        [&](const Resource& other) { return detail::compare_keys(other, entry) == 0; });
    Amount have;
    if (same != free.list().end()) {
      if (detail::includes(same->value, entry.value)) continue;
      have = detail::present_part(entry, *same);
    }
    return Shortage{key_of(entry), amount_of(entry), have};
  }
  return std::nullopt;
}

}  // namespace librm
