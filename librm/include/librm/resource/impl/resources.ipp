// The algebra of resources: ranges, sets and scalars by name and role; printing.
#pragma once

#include <algorithm>
#include <compare>
#include <iterator>
#include <limits>
#include <utility>

#include "librm/base/check.hpp"
#include "librm/resource/impl/parse.ipp"
#include "librm/resource/impl/reservation.ipp"
#include "librm/resource/resources.hpp"

namespace librm {

namespace detail {

inline Amount saturated(std::uint64_t units) {
  constexpr std::uint64_t units_max = Amount::milli_max / 1000;
  return Amount::units(static_cast<std::int64_t>(std::min(units, units_max)));
}

inline Amount add_saturated(Amount a, Amount b) {
  return {std::min(a.milli, Amount::milli_max) >= Amount::milli_max - b.milli ? Amount::milli_max
                                                                              : a.milli + b.milli};
}

inline int sign_of(std::strong_ordering order) { return order < 0 ? -1 : order > 0 ? 1 : 0; }

/// The canonical order. Entries of equal key are mergeable; of a volume the value is a part of
/// the key, because another amount is another piece.
inline int compare_keys(const Resource& a, const Resource& b) {
  if (int order = a.name.compare(b.name); order != 0) return order;
  if (!a.reservations.empty() || !b.reservations.empty()) {  // most are unreserved
    const auto order = a.reservations <=> b.reservations;
    if (order != 0) return sign_of(order);
  }
  if (a.revocable != b.revocable) return a.revocable ? 1 : -1;
  if (a.volume || b.volume) {
    const auto order = a.volume <=> b.volume;
    if (order != 0) return sign_of(order);
    return sign_of(a.value <=> b.value);
  }
  return static_cast<int>(a.value.index()) - static_cast<int>(b.value.index());
}

/// Sorts sets and drops what cannot be: duplicates, negative amounts.
inline void make_canonical(Resource::Value& value) {
  if (auto* amount = std::get_if<Amount>(&value)) {
    amount->milli = std::clamp<std::int64_t>(amount->milli, 0, Amount::milli_max);
  } else if (auto* set = std::get_if<StringSet>(&value)) {
    std::sort(set->begin(), set->end());
    set->erase(std::unique(set->begin(), set->end()), set->end());
  }
}

inline bool is_empty(const Resource::Value& value) {
  if (const auto* amount = std::get_if<Amount>(&value)) return amount->milli <= 0;
  if (const auto* ranges = std::get_if<Ranges>(&value)) return ranges->empty();
  return std::get<StringSet>(value).empty();
}

// The three operations on values of one kind; callers compared the keys before.

inline void merge(Resource::Value& into, const Resource::Value& from) {
  if (auto* amount = std::get_if<Amount>(&into)) {
    *amount = add_saturated(*amount, std::get<Amount>(from));
  } else if (auto* ranges = std::get_if<Ranges>(&into)) {
    *ranges += std::get<Ranges>(from);
  } else {
    const auto& a = std::get<StringSet>(into);
    const auto& b = std::get<StringSet>(from);
    StringSet both;
    both.reserve(a.size() + b.size());
    std::set_union(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(both));
    into = std::move(both);
  }
}

inline bool includes(const Resource::Value& whole, const Resource::Value& part) {
  if (const auto* amount = std::get_if<Amount>(&whole)) return *amount >= std::get<Amount>(part);
  if (const auto* ranges = std::get_if<Ranges>(&whole)) {
    return ranges->contains(std::get<Ranges>(part));
  }
  const auto& a = std::get<StringSet>(whole);
  const auto& b = std::get<StringSet>(part);
  return std::includes(a.begin(), a.end(), b.begin(), b.end());
}

inline void subtract(Resource::Value& from, const Resource::Value& part) {
  if (auto* amount = std::get_if<Amount>(&from)) {
    *amount -= std::get<Amount>(part);
  } else if (auto* ranges = std::get_if<Ranges>(&from)) {
    *ranges -= std::get<Ranges>(part);
  } else {
    const auto& a = std::get<StringSet>(from);
    const auto& b = std::get<StringSet>(part);
    StringSet rest;
    std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(rest));
    from = std::move(rest);
  }
}

/// The first entry at or after `at` whose key is not less than the wanted one's.
template <class Iterator>
Iterator skip_to(Iterator at, Iterator end, const Resource& wanted) {
  while (at != end && compare_keys(*at, wanted) < 0) ++at;
  return at;
}

}  // namespace detail

LIBRM_DECL Ranges::Ranges(std::vector<Range> ranges) : ranges_(std::move(ranges)) {
  std::erase_if(ranges_, [](const Range& range) { return range.begin > range.end; });
  std::sort(ranges_.begin(), ranges_.end());
  std::size_t last = 0;
  for (std::size_t i = 1; i < ranges_.size(); ++i) {
    // Adjacent when the gap is 1; written so that an end of 2^64-1 does not wrap around.
    if (ranges_[i].begin <= ranges_[last].end || ranges_[i].begin - ranges_[last].end == 1) {
      ranges_[last].end = std::max(ranges_[last].end, ranges_[i].end);
    } else {
      ranges_[++last] = ranges_[i];
    }
  }
  if (!ranges_.empty()) ranges_.resize(last + 1);
}

LIBRM_DECL std::uint64_t Ranges::count() const {
  constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t sum = 0;
  for (const Range& range : ranges_) {
    const std::uint64_t gaps = range.end - range.begin;
    if (gaps == most || sum >= most - gaps) return most;
    sum += gaps + 1;
  }
  return sum;
}

LIBRM_DECL bool Ranges::contains(const Ranges& other) const {
  auto mine = ranges_.begin();
  for (const Range& part : other.ranges_) {
    while (mine != ranges_.end() && mine->end < part.begin) ++mine;
    if (mine == ranges_.end() || mine->begin > part.begin || mine->end < part.end) return false;
  }
  return true;
}

LIBRM_DECL Ranges& Ranges::operator+=(const Ranges& other) {
  if (other.empty()) return *this;
  if (empty()) return *this = other;
  std::vector<Range> both;
  both.reserve(ranges_.size() + other.ranges_.size());
  both.insert(both.end(), ranges_.begin(), ranges_.end());
  both.insert(both.end(), other.ranges_.begin(), other.ranges_.end());
  return *this = Ranges(std::move(both));
}

LIBRM_DECL Ranges& Ranges::operator-=(const Ranges& other) {
  std::vector<Range> rest;
  auto taken = other.ranges_.begin();
  for (const Range& range : ranges_) {
    while (taken != other.ranges_.end() && taken->end < range.begin) ++taken;
    std::uint64_t begin = range.begin;
    bool used_up = false;
    for (auto cut = taken; cut != other.ranges_.end() && cut->begin <= range.end; ++cut) {
      if (cut->begin > begin) rest.push_back({begin, cut->begin - 1});
      used_up = cut->end >= range.end;
      if (used_up) break;
      begin = cut->end + 1;
    }
    if (!used_up) rest.push_back({begin, range.end});
  }
  ranges_ = std::move(rest);
  return *this;
}

LIBRM_DECL Ranges Ranges::lowest(std::uint64_t n) const {
  Ranges picked;
  for (const Range& range : ranges_) {
    if (n == 0) return picked;
    const std::uint64_t gaps = std::min(range.end - range.begin, n - 1);
    picked.ranges_.push_back({range.begin, range.begin + gaps});
    n -= gaps + 1;
  }
  LIBRM_CHECK(n == 0, "asked for more numbers than there are");
  return picked;
}

LIBRM_DECL Resources Resources::scalar(std::string name, Amount amount, std::string_view role) {
  Resources resources;
  resources.add({.name = std::move(name), .reservations = reserved_for(role), .value = amount});
  return resources;
}

LIBRM_DECL Amount amount_of(const Resource& resource) {
  if (const auto* amount = std::get_if<Amount>(&resource.value)) return *amount;
  if (const auto* ranges = std::get_if<Ranges>(&resource.value)) {
    return detail::saturated(ranges->count());
  }
  return detail::saturated(std::get<StringSet>(resource.value).size());
}

LIBRM_DECL Amount Resources::amount(std::string_view name) const {
  Amount sum;
  for (const Resource& entry : entries_) {
    if (entry.name == name) sum = detail::add_saturated(sum, amount_of(entry));
  }
  return sum;
}

LIBRM_DECL void Resources::add(Resource resource) {
  detail::make_canonical(resource.value);
  if (detail::is_empty(resource.value)) return;
  const auto at = std::lower_bound(
      entries_.begin(), entries_.end(), resource,
      [](const Resource& a, const Resource& b) { return detail::compare_keys(a, b) < 0; });
  if (at != entries_.end() && !resource.volume && detail::compare_keys(*at, resource) == 0) {
    detail::merge(at->value, resource.value);
  } else {
    entries_.insert(at, std::move(resource));
  }
}

LIBRM_DECL bool Resources::contains(const Resources& other) const {
  auto mine = entries_.begin();
  for (const Resource& part : other.entries_) {
    mine = detail::skip_to(mine, entries_.end(), part);
    if (mine == entries_.end() || detail::compare_keys(*mine, part) != 0) return false;
    if (!detail::includes(mine->value, part.value)) return false;
    ++mine;  // the next of equal pieces
  }
  return true;
}

LIBRM_DECL bool Resources::contains_usable(const Resources& other, std::string_view role,
                                           Revocable revocable) const {
  auto mine = entries_.begin();
  for (const Resource& part : other.entries_) {
    if (!usable(part, role, revocable)) continue;
    mine = detail::skip_to(mine, entries_.end(), part);
    if (mine == entries_.end() || detail::compare_keys(*mine, part) != 0) return false;
    if (!detail::includes(mine->value, part.value)) return false;
    ++mine;  // the next of equal pieces
  }
  return true;
}

LIBRM_DECL Resources& Resources::operator+=(const Resources& other) {
  if (entries_.empty()) return *this = other;
  if (this == &other) return *this += Resources(other);
  // By index: an insertion moves the entries.
  std::size_t at = 0;
  for (const Resource& part : other.entries_) {
    while (at < entries_.size() && detail::compare_keys(entries_[at], part) < 0) ++at;
    if (at < entries_.size() && !part.volume && detail::compare_keys(entries_[at], part) == 0) {
      detail::merge(entries_[at].value, part.value);
    } else {
      entries_.insert(entries_.begin() + static_cast<std::ptrdiff_t>(at), part);
    }
  }
  return *this;
}

LIBRM_DECL Resources& Resources::operator+=(Resources&& other) {
  if (entries_.empty()) {
    entries_ = std::move(other.entries_);
    return *this;
  }
  return *this += static_cast<const Resources&>(other);
}

LIBRM_DECL Resources& Resources::operator-=(const Resources& other) {
  if (this == &other) {
    entries_.clear();
    return *this;
  }
  auto mine = entries_.begin();
  for (const Resource& part : other.entries_) {
    mine = detail::skip_to(mine, entries_.end(), part);
    const bool there = mine != entries_.end() && detail::compare_keys(*mine, part) == 0 &&
                       detail::includes(mine->value, part.value);
    LIBRM_CHECK(there, "subtracted resources must be contained");
    detail::subtract(mine->value, part.value);
    ++mine;
  }
  std::erase_if(entries_, [](const Resource& entry) { return detail::is_empty(entry.value); });
  return *this;
}

LIBRM_DECL Resources Resources::take_usable(std::string_view role, Revocable revocable) {
  Resources taken;
  const auto is_usable = [&](const Resource& entry) { return usable(entry, role, revocable); };
  if (std::all_of(entries_.begin(), entries_.end(), is_usable)) {
    taken.entries_.swap(entries_);  // the common case: no copies
    return taken;
  }
  for (Resource& entry : entries_) {
    if (is_usable(entry)) taken.entries_.push_back(entry);
  }
  std::erase_if(entries_, is_usable);
  return taken;
}

LIBRM_DECL Resources Resources::usable_by(std::string_view role, Revocable revocable) const {
  Resources part;
  for (const Resource& entry : entries_) {
    if (usable(entry, role, revocable)) part.entries_.push_back(entry);
  }
  return part;
}

LIBRM_DECL Resources Resources::unreserved() const {
  Resources flat;
  for (Resource entry : entries_) {
    entry.reservations.clear();
    entry.volume.reset();
    flat.add(std::move(entry));
  }
  return flat;
}

}  // namespace librm
