// Numbered registries: which struct a number on the wire or on disk stands for.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include "librm/base/result.hpp"
#include "librm/wire/archive.hpp"
#include "librm/wire/frame.hpp"
#include "librm/wire/record_entry.hpp"

namespace librm {

/// Specialised once per message and record, next to its fields:
///
///     template <> struct WireNumber<Ping> : WireNumbers<12> {};       // version 1
///     template <> struct WireNumber<Pong> : WireNumbers<13, 3, 2> {};  // version 3, from 2 on
template <class T>
struct WireNumber;

/// `version` grows with each added trailing field. `oldest_reader` is the lowest version whose
/// readers may go on without the fields that they don't know; it grows when they may not.
template <std::uint16_t Number, std::uint16_t Version = 1, std::uint16_t OldestReader = 1>
struct WireNumbers {
  static_assert(Number > 0 && OldestReader > 0 && OldestReader <= Version);
  static constexpr std::uint16_t number = Number;
  static constexpr std::uint16_t version = Version;
  static constexpr std::uint16_t oldest_reader = OldestReader;
  static constexpr const char* name = "unnamed";  ///< for messages to people
};

namespace detail {

/// One line of a registry: how to read what has this number.
template <class Variant>
struct RegistryLine {
  std::uint16_t number = 0;
  std::uint16_t version = 0;
  const char* name = nullptr;
  Result<Variant> (*decode)(std::string_view payload, Trailing trailing, Dialect dialect) = nullptr;
};

template <class Variant, class T>
Result<Variant> decode_alternative(std::string_view payload, Trailing trailing, Dialect dialect) {
  Result<T> value = decode<T>(payload, trailing, dialect);
  if (!value) return tl::unexpected<Error>(std::move(value.error()));
  return Variant(std::in_place_type<T>, std::move(*value));
}

template <class Variant>
struct Registry;

template <class... Ts>
struct Registry<std::variant<Ts...>> {
  using Variant = std::variant<Ts...>;
  using Lines = std::array<RegistryLine<Variant>, sizeof...(Ts)>;

  static constexpr Lines sorted() {
    Lines all{RegistryLine<Variant>{WireNumber<Ts>::number, WireNumber<Ts>::version,
                                    WireNumber<Ts>::name, &decode_alternative<Variant, Ts>}...};
    std::sort(all.begin(), all.end(),
              [](const auto& a, const auto& b) { return a.number < b.number; });
    return all;
  }
  static constexpr Lines lines = sorted();

  static constexpr bool unique() {
    for (std::size_t i = 1; i < lines.size(); ++i) {
      if (lines[i - 1].number == lines[i].number) return false;
    }
    return true;
  }
  static_assert(unique(), "two structs have the same number");

  /// Null where no struct has the number.
  static const RegistryLine<Variant>* find(std::uint16_t number) {
    const auto line = std::lower_bound(
        lines.begin(), lines.end(), number,
        [](const RegistryLine<Variant>& a, std::uint16_t b) { return a.number < b; });
    return line != lines.end() && line->number == number ? &*line : nullptr;
  }
};

}  // namespace detail

/// What stands for `number`, written as `version`. Fails with `unsupported` for a number that
/// this side doesn't know or an oldest reader above its version, with `corrupt` for the payload;
/// the message names the numbers.
template <class Variant>
Result<Variant> decode_payload(std::uint16_t number, std::uint16_t version,
                               std::uint16_t oldest_reader, std::string_view payload,
                               Dialect dialect = Dialect::current) {
  const auto* line = detail::Registry<Variant>::find(number);
  if (line == nullptr) {
    return fail(ErrorCode::unsupported, "number " + std::to_string(number) + ": not known here");
  }
  const auto subject = [&] {
    return "number " + std::to_string(number) + " (" + line->name + "), version " +
           std::to_string(version) + ": ";
  };
  if (oldest_reader > version_in(dialect, line->version)) {
    return fail(ErrorCode::unsupported, subject() + "for readers from version " +
                                            std::to_string(oldest_reader) + " on, this side has " +
                                            std::to_string(line->version));
  }
  const bool newer = version > version_in(dialect, line->version);
  Result<Variant> value =
      line->decode(payload, newer ? Trailing::ignored : Trailing::refused, dialect);
  if (value) return value;
  return fail(value.error().code, subject() + value.error().message);
}

/// Appends one frame that holds the alternative. Precondition, checked: the payload has at most
/// frame_payload_max bytes; who takes data from outside bounds it there.
template <class Variant>
std::string encode_frame(const Variant& variant, std::uint32_t channel, std::uint32_t request_id,
                         Epoch epoch, Dialect dialect = Dialect::current) {
  FrameHeader header;
  header.channel = channel;
  header.request_id = request_id;
  header.epoch = epoch;
  std::string frame(frame_header_size, '\0');
  std::visit(
      [&]<class T>(const T& value) {
        header.number = WireNumber<T>::number;
        header.version = version_in(dialect, WireNumber<T>::version);
        header.oldest_reader = WireNumber<T>::oldest_reader;
        encode_to(frame, value, dialect);
      },
      variant);
  LIBRM_CHECK(frame.size() - frame_header_size <= frame_payload_max,
              "a message is bounded where its parts enter");
  seal_frame(frame, header);
  return frame;
}

/// The alternative as an entry for this stream of a journal.
template <class Variant>
RecordEntry encode_record_entry(const Variant& variant, std::uint16_t stream,
                                Dialect dialect = Dialect::current) {
  return std::visit(
      [&]<class T>(const T& value) {
        RecordEntry entry{stream,
                          WireNumber<T>::number,
                          version_in(dialect, WireNumber<T>::version),
                          {},
                          WireNumber<T>::oldest_reader};
        encode_to(entry.payload, value, dialect);
        return entry;
      },
      variant);
}

template <class Variant>
Result<Variant> decode_record_entry(const RecordEntry& entry) {
  return decode_payload<Variant>(entry.number, entry.version, entry.oldest_reader, entry.payload);
}

}  // namespace librm
