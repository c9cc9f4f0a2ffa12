// Reading resources from text; every error says where it is and what was expected there.
#pragma once

#include <charconv>
#include <utility>

#include "librm/resource/impl/cursor.hpp"
#include "librm/resource/impl/reservation.ipp"
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

inline bool is_member(char c) {
  return c > 0x20 && c < 0x7f && c != ',' && c != ';' && c != '{' && c != '}';
}

inline Result<std::string> read_member(Cursor& cursor) {
  return cursor.take_token("a set member", is_member);
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

inline Result<std::string_view> read_role(Cursor& cursor) {
  const std::string_view role =
      cursor.take_while([](char c) { return Cursor::is_bare(c) || c == '*'; });
  if (check_role(role)) return role;
  if (role.empty()) return cursor.expected("a role");
  return cursor.wrong(role, "is not a role name");
}

inline Result<std::string> read_principal(Cursor& cursor) {
  if (!cursor.take('@')) return std::string();
  return cursor.take_token("a principal", Cursor::is_bare);
}

/// `{tier=gold,owner="a b"}`; the opening bracket is taken already.
inline Result<void> read_labels(Cursor& cursor, Reservation& layer) {
  do {
    cursor.skip_space();
    const std::size_t start = cursor.position();
    Result<std::string> key = cursor.take_token("a label", Cursor::is_bare);
    if (!key) return tl::unexpected<Error>(key.error());
    const std::string_view written = cursor.since(start);
    if (!cursor.take('=')) return cursor.expected("'='");
    Result<std::string> value = cursor.take_token("a label's value", Cursor::is_bare);
    if (!value) return tl::unexpected<Error>(value.error());
    if (!layer.labels.emplace(std::move(*key), std::move(*value)).second) {
      return cursor.wrong(written, "is given twice");
    }
  } while (cursor.take(','));
  if (!cursor.take('}')) return cursor.expected("',' or '}'");
  return {};
}

/// `+eng/backend@alice{tier=gold}`, as a refinement of `outer` where there is one.
inline Result<Reservation> read_layer(Cursor& cursor, const Reservation* outer) {
  Reservation layer;
  layer.dynamic = cursor.take('+');
  const auto role = read_role(cursor);
  if (!role) return tl::unexpected<Error>(role.error());
  if (*role == any_role && (layer.dynamic || outer != nullptr)) {
    return cursor.wrong(*role, "cannot be reserved for");
  }
  if (outer != nullptr && !is_below(*role, outer->role)) {
    return cursor.wrong(*role, "is not below '" + outer->role + "'");
  }
  if (outer != nullptr && !layer.dynamic) {
    return cursor.wrong(*role, "refines a reservation, which needs a '+' before it");
  }
  layer.role = *role;
  Result<std::string> principal = read_principal(cursor);
  if (!principal) return tl::unexpected<Error>(principal.error());
  layer.principal = std::move(*principal);
  if (cursor.take('{')) {
    if (auto read = read_labels(cursor, layer); !read) return tl::unexpected<Error>(read.error());
  }
  return layer;
}

/// `(eng>+eng/backend)`, `(*)`; the opening bracket is taken already.
inline Result<Reservations> read_reservations(Cursor& cursor) {
  Reservations layers;
  do {
    if (layers.size() == reservation_layers_max) return cursor.expected("at most 16 layers");
    auto layer = read_layer(cursor, layers.empty() ? nullptr : &layers.back());
    if (!layer) return tl::unexpected<Error>(layer.error());
    layers.push_back(std::move(*layer));
    if (layers.back().role != any_role) continue;
    if (!cursor.take(')')) return cursor.expected("')'");
    return Reservations();
  } while (cursor.take('>'));
  if (!cursor.take(')')) return cursor.expected("')'");
  return layers;
}

/// `[db1&@alice]`; the opening bracket is taken already.
inline Result<Volume> read_volume(Cursor& cursor) {
  Volume volume;
  Result<std::string> id = cursor.take_token("a volume's id", Cursor::is_bare);
  if (!id) return tl::unexpected<Error>(id.error());
  if (id->empty()) return cursor.expected("a volume's id before this");
  volume.id = std::move(*id);
  volume.shared = cursor.take('&');
  Result<std::string> principal = read_principal(cursor);
  if (!principal) return tl::unexpected<Error>(principal.error());
  volume.principal = std::move(*principal);
  if (!cursor.take(']')) return cursor.expected("']'");
  return volume;
}

/// What is before the colon.
inline Result<Resource> read_key(Cursor& cursor, std::string_view default_role) {
  const auto name = cursor.take_name();
  if (!name) return tl::unexpected<Error>(name.error());
  Resource entry{.name = std::string(*name), .value = {}};
  const bool is_explicit = cursor.take('(');
  if (is_explicit) {
    Result<Reservations> layers = read_reservations(cursor);
    if (!layers) return tl::unexpected<Error>(layers.error());
    entry.reservations = std::move(*layers);
  }
  const bool is_volume = cursor.take('[');
  const std::size_t volume_at = cursor.position() - 1;
  if (is_volume) {
    Result<Volume> volume = read_volume(cursor);
    if (!volume) return tl::unexpected<Error>(volume.error());
    entry.volume = std::move(*volume);
  }
  if (cursor.take('{')) {
    const std::string_view word = cursor.take_while(Cursor::is_name);
    if (word != "revocable" || !cursor.take('}')) return cursor.expected("'revocable}'");
    entry.revocable = true;
  }
  // What may be taken back at any time is nobody's until somebody says so.
  if (!is_explicit && !entry.revocable) entry.reservations = reserved_for(default_role);
  if (entry.volume && entry.reservations.empty()) {
    return Cursor::at(volume_at, "a volume needs a reservation, such as disk(eng)[db1]");
  }
  if (!cursor.take(':')) return cursor.expected("':'");
  return entry;
}

/// What is wrong with an entry beside those that were read before; of them only the key and the
/// kind of the value are looked at.
inline std::string_view clash(const std::vector<Resource>& seen, const Resource& entry) {
  for (const Resource& other : seen) {
    if (other.name != entry.name) continue;
    if (other.value.index() != entry.value.index()) {
      return "is a scalar, ranges or a set, not two of them";
    }
    if (!entry.volume && !other.volume && other.revocable == entry.revocable &&
        other.reservations == entry.reservations) {
      return "is given twice";
    }
  }
  return {};
}

}  // namespace detail

LIBRM_DECL Result<Resources> Resources::parse(std::string_view text,
                                              std::string_view default_role) {
  if (auto valid = check_role(default_role); !valid) return tl::unexpected<Error>(valid.error());
  Resources resources;
  // What was empty is dropped from the result but still counts as given.
  std::vector<Resource> seen;
  const auto read_entry = [&](detail::Cursor& cursor) -> Result<void> {
    cursor.skip_space();
    const std::size_t start = cursor.position();
    Result<Resource> entry = detail::read_key(cursor, default_role);
    if (!entry) return tl::unexpected<Error>(entry.error());
    Result<Resource::Value> value = detail::read_value(cursor);
    if (!value) return tl::unexpected<Error>(value.error());
    entry->value = std::move(*value);
    if (const std::string_view why = detail::clash(seen, *entry); !why.empty()) {
      return cursor.wrong(cursor.since(start).substr(0, entry->name.size()), why);
    }
    seen.push_back(*entry);
    resources.add(std::move(*entry));
    return {};
  };
  const auto read = detail::read_entries(text, read_entry);
  if (!read) return tl::unexpected<Error>(read.error());
  return resources;
}

}  // namespace librm
