// Reading resources from text; every error says where it is and what was expected there.
#pragma once

#include <charconv>
#include <utility>

#include "librm/resource/impl/cursor.hpp"
#include "librm/resource/resources.hpp"

namespace librm {

namespace detail {

inline Result<Amount> read_amount(Cursor& cursor) {
  const std::string_view digits =
      cursor.take_while([](char c) { return Cursor::is_digit(c) || c == '.'; });
  if (digits.empty()) return cursor.expected("an amount");
  if (const auto amount = parse_amount(digits)) return *amount;
  return cursor.wrong(digits, "is not an amount: at most three decimals, at most 1000000000000");
}

inline Result<std::uint64_t> read_number(Cursor& cursor) {
  const std::string_view digits = cursor.take_while(Cursor::is_digit);
  if (digits.empty()) return cursor.expected("a whole number");
  std::uint64_t number = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (read.ec != std::errc()) return cursor.wrong(digits, "is larger than 18446744073709551615");
  return number;
}

inline Result<Range> read_range(Cursor& cursor) {
  cursor.skip_space();
  const std::size_t start = cursor.position();
  const auto begin = read_number(cursor);
  if (!begin) return tl::unexpected<Error>(begin.error());
  if (!cursor.take('-')) return Range{*begin, *begin};
  const auto end = read_number(cursor);
  if (!end) return tl::unexpected<Error>(end.error());
  if (*end < *begin) {
    return cursor.wrong(cursor.since(start), "ends before it begins");
  }
  return Range{*begin, *end};
}

inline Result<std::string> read_member(Cursor& cursor) {
  constexpr std::size_t member_bytes_max = 255;
  const std::string_view member = cursor.take_while(
      [](char c) { return c > 0x20 && c < 0x7f && c != ',' && c != ';' && c != '{' && c != '}'; });
  if (member.empty()) return cursor.expected("a set member");
  if (member.size() > member_bytes_max) return cursor.wrong(member, "is longer than 255 bytes");
  return std::string(member);
}

/// `read_one` until the closing bracket, separated by commas; the opening one is taken already.
template <class Item, class ReadOne>
Result<std::vector<Item>> read_list(Cursor& cursor, char close, ReadOne read_one) {
  std::vector<Item> items;
  if (cursor.take(close)) return items;
  do {
    Result<Item> item = read_one(cursor);
    if (!item) return tl::unexpected<Error>(item.error());
    items.push_back(std::move(*item));
  } while (cursor.take(','));
  if (!cursor.take(close)) return cursor.expected(std::string("',' or '") + close + "'");
  return items;
}

inline Result<Resource::Value> read_value(Cursor& cursor) {
  if (cursor.take('[')) {
    return read_list<Range>(cursor, ']', read_range).map([](std::vector<Range> ranges) {
      return Resource::Value(Ranges(std::move(ranges)));
    });
  }
  if (cursor.take('{')) {
    return read_list<std::string>(cursor, '}', read_member).map([](StringSet members) {
      return Resource::Value(std::move(members));
    });
  }
  if (!Cursor::is_digit(cursor.peek())) return cursor.expected("an amount, '[' or '{'");
  return read_amount(cursor).map([](Amount amount) { return Resource::Value(amount); });
}

inline Result<Reservations> read_reservation(Cursor& cursor) {
  if (!cursor.take('(')) return Reservations();
  const std::string_view role =
      cursor.take_while([](char c) { return Cursor::is_name(c) || c == '/' || c == '*'; });
  if (const auto valid = check_role(role); !valid) {
    if (role.empty()) return cursor.expected("a role");
    return cursor.wrong(role, "is not a role name");
  }
  if (!cursor.take(')')) return cursor.expected("')'");
  return reserved_for(role);
}

}  // namespace detail

LIBRM_DECL Result<Resources> Resources::parse(std::string_view text) {
  Resources resources;
  // What was empty is dropped from the result but still counts as given.
  std::vector<Resource> seen;
  const auto read_entry = [&](detail::Cursor& cursor) -> Result<void> {
    const auto name = cursor.take_name();
    if (!name) return tl::unexpected<Error>(name.error());
    auto role = detail::read_reservation(cursor);
    if (!role) return tl::unexpected<Error>(role.error());
    if (!cursor.take(':')) return cursor.expected("':'");
    auto value = detail::read_value(cursor);
    if (!value) return tl::unexpected<Error>(value.error());
    for (const Resource& other : seen) {
      if (other.name != *name) continue;
      if (other.reservations == *role) return cursor.wrong(*name, "is given twice");
      if (other.value.index() != value->index()) {
        return cursor.wrong(*name, "is a scalar, ranges or a set, not two of them");
      }
    }
    seen.push_back({.name = std::string(*name), .reservations = std::move(*role), .value = {}});
    Resource entry = seen.back();
    entry.value = std::move(*value);
    // Of the value only the kind is compared later.
    if (std::holds_alternative<Ranges>(entry.value)) seen.back().value = Ranges();
    if (std::holds_alternative<StringSet>(entry.value)) seen.back().value = StringSet();
    resources.add(std::move(entry));
    return {};
  };
  const auto read = detail::read_entries(text, read_entry);
  if (!read) return tl::unexpected<Error>(read.error());
  return resources;
}

}  // namespace librm
