// Constraints: their text, whether one agent keeps them, and how evenly many agents do.
#pragma once

#include <algorithm>
#include <array>
#include <utility>

#include "librm/resource/constraint.hpp"
#include "librm/resource/impl/attributes.ipp"

namespace librm {

namespace detail {

struct ConstraintWord {
  std::string_view word;
  ConstraintKind kind;
};
inline constexpr std::array<ConstraintWord, 7> constraint_words = {{
    {"==", ConstraintKind::equals},
    {"!=", ConstraintKind::not_equals},
    {"like", ConstraintKind::like},
    {"unlike", ConstraintKind::unlike},
    {"unique", ConstraintKind::unique},
    {"group_by", ConstraintKind::group_by},
    {"max_per", ConstraintKind::max_per},
}};

inline std::string_view word_of(ConstraintKind kind) {
  for (const ConstraintWord& one : constraint_words) {
    if (one.kind == kind) return one.word;
  }
  return "unknown";
}

inline bool has_value(ConstraintKind kind) { return kind <= ConstraintKind::unlike; }

inline bool is_value_byte(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return c != ';' && byte >= 0x20 && byte != 0x7f;
}

inline Result<std::string> read_constrained(Cursor& cursor) {
  if (!cursor.take('@')) {
    return cursor.take_name().map([](std::string_view name) { return std::string(name); });
  }
  const std::string_view name = cursor.take_while(Cursor::is_name);
  if (name == "hostname" || name == "region" || name == "zone") return '@' + std::string(name);
  if (name.empty()) return cursor.expected("hostname, region or zone");
  return cursor.wrong(name, "is not one of @hostname, @region, @zone");
}

inline Result<ConstraintKind> read_kind(Cursor& cursor) {
  const bool is_sign = cursor.peek() == '=' || cursor.peek() == '!';
  const std::string_view word = is_sign
                                    ? cursor.take_while([](char c) { return c == '=' || c == '!'; })
                                    : cursor.take_while(Cursor::is_name);
  for (const ConstraintWord& one : constraint_words) {
    if (one.word == word) return one.kind;
  }
  constexpr const char* what = "==, !=, like, unlike, unique, group_by or max_per";
  if (word.empty()) return cursor.expected(what);
  return cursor.wrong(word, std::string("is not one of ") + what);
}

inline Result<std::string> read_constraint_value(Cursor& cursor) {
  if (cursor.peek() == '"') return cursor.take_token("a value", is_value_byte);
  const std::string_view value = without_space_behind(cursor.take_while(is_value_byte));
  if (value.empty()) return cursor.expected("a value");
  if (value.size() > Cursor::token_bytes_max) {
    return cursor.wrong(value, "is longer than 255 bytes");
  }
  return std::string(value);
}

inline Result<std::uint32_t> read_constraint_count(Cursor& cursor) {
  constexpr std::uint64_t count_max = 1'000'000;
  cursor.skip_space();
  const std::size_t start = cursor.position();
  const auto number = read_number(cursor);
  if (!number) return tl::unexpected<Error>(number.error());
  if (*number == 0 || *number > count_max) {
    return cursor.wrong(cursor.since(start), "is not a number from 1 to 1000000");
  }
  return static_cast<std::uint32_t>(*number);
}

inline Result<Constraint> read_constraint(Cursor& cursor) {
  Result<std::string> attribute = read_constrained(cursor);
  if (!attribute) return tl::unexpected<Error>(attribute.error());
  const Result<ConstraintKind> kind = read_kind(cursor);
  if (!kind) return tl::unexpected<Error>(kind.error());
  Constraint constraint{std::move(*attribute), *kind, {}, 0};
  if (has_value(*kind)) {
    Result<std::string> value = read_constraint_value(cursor);
    if (!value) return tl::unexpected<Error>(value.error());
    constraint.value = std::move(*value);
    return constraint;
  }
  const bool is_bare_group = *kind == ConstraintKind::group_by && !Cursor::is_digit(cursor.peek());
  if (*kind == ConstraintKind::unique || is_bare_group) return constraint;
  const Result<std::uint32_t> count = read_constraint_count(cursor);
  if (!count) return tl::unexpected<Error>(count.error());
  constraint.count = *count;
  return constraint;
}

inline std::string constraint_value_text(const std::string& value) {
  const bool has_edges = !value.empty() && (value.front() == ' ' || value.back() == ' ');
  return token_text(value, [&](char c) { return !has_edges && is_value_byte(c); });
}

/// `wanted` as a constraint's author wrote it, against what the agent has.
inline bool equals(const AttributeValue& has, std::string_view wanted) {
  if (const auto* text = std::get_if<std::string>(&has)) return *text == wanted;
  const Result<AttributeValue> read = read_attribute(wanted);
  if (const auto* amount = std::get_if<Amount>(&has)) {
    const auto* other = read ? std::get_if<Amount>(&*read) : nullptr;
    return other != nullptr && *other == *amount;
  }
  if (const auto* ranges = std::get_if<Ranges>(&has)) {
    const Result<AttributeValue> list = read_attribute('[' + std::string(wanted) + ']');
    const auto* other = read ? std::get_if<Ranges>(&*read) : nullptr;
    if (other == nullptr) other = list ? std::get_if<Ranges>(&*list) : nullptr;
    return other != nullptr && !other->empty() && ranges->contains(*other);
  }
  const auto& set = std::get<StringSet>(has);
  if (std::binary_search(set.begin(), set.end(), wanted, std::less<>())) return true;
  const auto* other = read ? std::get_if<StringSet>(&*read) : nullptr;
  return other != nullptr && !other->empty() &&
         std::includes(set.begin(), set.end(), other->begin(), other->end());
}

inline Result<bool> is_like(const AttributeValue& has, std::string_view text,
                            std::string_view pattern, const Matcher& matcher) {
  const auto* set = std::get_if<StringSet>(&has);
  if (set == nullptr) return matcher.matches(pattern, text);
  for (const std::string& member : *set) {
    const Result<bool> matched = matcher.matches(pattern, member);
    if (!matched || *matched) return matched;
  }
  return false;
}

inline AttributeValue typed(std::string_view text) {
  // What came by another way than parse_attributes() may be no valid ranges or set: plain text.
  Result<AttributeValue> read = read_attribute(text);
  return read ? std::move(*read) : AttributeValue(std::string(text));
}

inline std::string lacks(const Constraint& constraint) {
  const std::string& name = constraint.attribute;
  return name + ": agent has no " + (name.starts_with('@') ? name.substr(1) : name);
}

}  // namespace detail

LIBRM_DECL Result<Constraint> parse_constraint(std::string_view text) {
  if (auto size = detail::Cursor::check_size(text); !size) {
    return tl::unexpected<Error>(size.error());
  }
  detail::Cursor cursor(text);
  Result<Constraint> constraint = detail::read_constraint(cursor);
  if (constraint && !cursor.done()) return cursor.expected("the end");
  return constraint;
}

LIBRM_DECL std::string to_string(const Constraint& constraint) {
  std::string text = constraint.attribute + ' ' + std::string(detail::word_of(constraint.kind));
  if (detail::has_value(constraint.kind)) {
    text += ' ' + detail::constraint_value_text(constraint.value);
  } else if (constraint.count > 0) {
    text += ' ' + std::to_string(constraint.count);
  }
  return text;
}

LIBRM_DECL Result<std::vector<Constraint>> parse_constraints(std::string_view text) {
  std::vector<Constraint> constraints;
  const auto read_entry = [&](detail::Cursor& cursor) -> Result<void> {
    Result<Constraint> constraint = detail::read_constraint(cursor);
    if (!constraint) return tl::unexpected<Error>(constraint.error());
    constraints.push_back(std::move(*constraint));
    return {};
  };
  const auto read = detail::read_entries(text, read_entry);
  if (!read) return tl::unexpected<Error>(read.error());
  return constraints;
}

LIBRM_DECL std::string to_string(const std::vector<Constraint>& constraints) {
  std::string text;
  for (const Constraint& constraint : constraints) {
    text += (text.empty() ? "" : "; ") + to_string(constraint);
  }
  return text;
}

LIBRM_DECL std::optional<std::string> mismatch(const Constraint& constraint,
                                               const AgentFacts& facts, const Matcher* matcher) {
  const bool negated =
      constraint.kind == ConstraintKind::not_equals || constraint.kind == ConstraintKind::unlike;
  const auto text = find_attribute(facts, constraint.attribute);
  if (!text && negated) return std::nullopt;
  if (!text) return detail::lacks(constraint);
  if (!detail::has_value(constraint.kind)) return std::nullopt;
  const AttributeValue has = detail::typed(*text);
  std::string need;
  bool found = false;
  if (constraint.kind == ConstraintKind::equals || constraint.kind == ConstraintKind::not_equals) {
    found = detail::equals(has, constraint.value);
    need = constraint.value;
  } else {
    if (matcher == nullptr) return constraint.attribute + ": no regular expressions here";
    const auto like = detail::is_like(has, *text, constraint.value, *matcher);
    if (!like) return constraint.attribute + ": " + like.error().message;
    found = *like;
    need = "what is like " + constraint.value;
  }
  if (found != negated) return std::nullopt;
  return constraint.attribute + ": need " + (negated ? "other than " : "") + need + ", agent has " +
         std::string(*text);
}

LIBRM_DECL Spread::Spread(const std::vector<Constraint>& constraints) {
  for (const Constraint& constraint : constraints) {
    if (!detail::has_value(constraint.kind)) tallies_.push_back({constraint, {}, {}});
  }
}

LIBRM_DECL std::optional<std::string> Spread::uneven(const Tally& tally, const std::string& value) {
  const auto known = tally.groups.find(value);
  const std::uint64_t here = known == tally.groups.end() ? 0 : known->second.count;
  const auto least = tally.groups_with.begin();
  if (here == 0 || least == tally.groups_with.end()) return std::nullopt;
  const std::string subject =
      tally.constraint.attribute + ' ' + value + " has " + std::to_string(here);
  const std::size_t groups = tally.groups.size();
  if (groups < tally.constraint.count) {
    return subject + ", and only " + std::to_string(groups) + " of at least " +
           std::to_string(tally.constraint.count) + " groups are known";
  }
  if (here == least->first) return std::nullopt;
  return subject + ", " + std::to_string(least->second) + " of " + std::to_string(groups) +
         " groups have " + std::to_string(least->first);
}

LIBRM_DECL std::optional<std::string> Spread::mismatch(const AgentFacts& facts) const {
  for (const Tally& tally : tallies_) {
    const auto text = find_attribute(facts, tally.constraint.attribute);
    if (!text) return detail::lacks(tally.constraint);
    const std::string value = to_string(detail::typed(*text));
    if (tally.constraint.kind == ConstraintKind::group_by) {
      if (auto why = uneven(tally, value)) return why;
      continue;
    }
    const std::uint64_t most =
        tally.constraint.kind == ConstraintKind::unique ? 1 : tally.constraint.count;
    const auto known = tally.groups.find(value);
    if (known == tally.groups.end() || known->second.count < most) continue;
    return tally.constraint.attribute + ' ' + value + " has " +
           std::to_string(known->second.count) + " of at most " + std::to_string(most);
  }
  return std::nullopt;
}

LIBRM_DECL void Spread::change(const AgentFacts& facts, Change change) {
  for (Tally& tally : tallies_) {
    const auto text = find_attribute(facts, tally.constraint.attribute);
    if (!text) continue;
    const auto [at, is_new] = tally.groups.emplace(to_string(detail::typed(*text)), Group{});
    Group& group = at->second;
    const auto same = tally.groups_with.find(group.count);
    if (!is_new && --same->second == 0) tally.groups_with.erase(same);
    if (change == Change::add) ++group.count;
    if (change == Change::remove && group.count > 0) --group.count;
    if (change == Change::know) group.known = true;
    if (group.count == 0 && !group.known) {
      tally.groups.erase(at);
    } else {
      ++tally.groups_with[group.count];
    }
  }
}

LIBRM_DECL void Spread::add(const AgentFacts& facts) { change(facts, Change::add); }
LIBRM_DECL void Spread::remove(const AgentFacts& facts) { change(facts, Change::remove); }
LIBRM_DECL void Spread::know(const AgentFacts& facts) { change(facts, Change::know); }

}  // namespace librm
