// Values to bytes and back, bounded: no input makes the reader allocate more than it was sent.
#pragma once

#include <cereal/cereal.hpp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "librm/base/check.hpp"
#include "librm/base/result.hpp"
#include "librm/wire/dialect.hpp"
#include "librm/wire/little_endian.hpp"

// Encoding: numbers little-endian and as wide as their type; bool one byte, 0 or 1; an enum as its
// underlying type; string, vector, map and set a u32 count and the elements (maps and sets in
// ascending order); optional a bool and the value; variant a u16 index and the value; a struct its
// fields in order. The two doors are encode() and decode(); exceptions stay behind them.
//
// To make a struct encodable, in its namespace: LIBRM_WIRE(Type, field, field...). A field that
// was added later goes last, and its struct gets a serialize() by hand, which ends with
// `archive.optional_tail(value.field, default)`; that works where the struct is a whole message
// or record, or in an Enveloped.

namespace librm {

/// Bounds for one decoding.
inline constexpr std::size_t element_count_max = 1u << 20;  ///< of one container, strings excepted
inline constexpr int nesting_depth_max = 32;                ///< structs and containers in another

/// Must be specialised for every enum on the wire: what lies outside of first..last is refused,
/// so a writer that adds a value raises its message's oldest reader.
///
///     template <> struct WireEnum<Color> : WireEnumRange<Color::red, Color::blue> {};
template <class E>
struct WireEnum;
template <auto First, auto Last>
struct WireEnumRange {
  static constexpr auto first = First;
  static constexpr auto last = Last;
};

/// Thrown inside of decode(), which turns it into an Error.
class WireError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// What is nested or persisted, with a version and size of its own: a reader that is older skips
/// the fields that it doesn't know, one that is newer gets its defaults. Used in place of a field:
/// `archive(value.id, enveloped(value.details, 2))`.
template <class T>
struct Enveloped {
  T& value;
  std::uint16_t version;
};
template <class T>
Enveloped<T> enveloped(T& value, std::uint16_t version = 1) {
  return {value, version};
}

/// Appends to a string. Writing cannot fail; what no reader would take (too many elements) is a
/// bug of the writer, and checked.
class OutArchive : public cereal::OutputArchive<OutArchive, cereal::AllowEmptyClassElision> {
 public:
  /// `target` must outlive the archive; it is complete after finish().
  explicit OutArchive(std::string& target, Dialect dialect = Dialect::current)
      : cereal::OutputArchive<OutArchive, cereal::AllowEmptyClassElision>(this),
        target_(target),
        used_(target.size()),
        dialect_(dialect) {}
  Dialect dialect() const { return dialect_; }

  void write(const void* bytes, std::size_t size) {
    if (size != 0) std::memcpy(room(size), bytes, size);
  }
  template <class Number>
  void write_number(Number value) {
    detail::store_little_endian(room(sizeof value), value);
  }
  void write_count(std::size_t count) { write_number(static_cast<std::uint32_t>(count)); }

  template <class T>
  void optional_tail(T& field, const std::type_identity_t<std::remove_const_t<T>>& = {}) {
    if (dialect_ != Dialect::first) (*this)(field);
  }
  void write_unknown_tail() {
    if (dialect_ == Dialect::next) write_number(next_dialect_field);
  }

  std::size_t used() const { return used_; }
  void write_size_at(std::size_t position, std::uint32_t size) {
    detail::store_little_endian(target_.data() + position, size);
  }
  void finish() { target_.resize(used_); }

 private:
  // Room is taken in steps and given back by finish(): faster than to append a few bytes a time.
  char* room(std::size_t size) {
    if (target_.size() - used_ < size) target_.resize(2 * target_.size() + size + 64);
    char* start = target_.data() + used_;
    used_ += size;
    return start;
  }

  std::string& target_;
  std::size_t used_;
  Dialect dialect_;
};

/// Reads from bytes that it does not own. Throws WireError.
class BoundedInArchive
    : public cereal::InputArchive<BoundedInArchive, cereal::AllowEmptyClassElision> {
 public:
  explicit BoundedInArchive(std::string_view bytes, Dialect dialect = Dialect::current)
      : cereal::InputArchive<BoundedInArchive, cereal::AllowEmptyClassElision>(this),
        next_(bytes.data()),
        end_(bytes.data() + bytes.size()),
        dialect_(dialect) {}

  std::size_t left() const { return static_cast<std::size_t>(end_ - next_); }

  const char* take(std::size_t size) {
    if (size > left()) refuse("value", size, 1, left());
    return std::exchange(next_, next_ + size);
  }
  template <class Number>
  Number read_number() {
    return detail::load_little_endian<Number>(take(sizeof(Number)));
  }
  /// The count of a container whose elements have at least this many bytes each.
  std::size_t read_count(std::size_t element_size_min) {
    const std::size_t count = read_number<std::uint32_t>();
    check_count(count, element_size_min);
    return count;
  }
  void check_count(std::uint64_t count, std::size_t element_size_min) const {
    if (count > element_count_max || count * element_size_min > left()) {
      refuse("elements", count, element_size_min, left());
    }
  }
  std::size_t read_string_size() {
    const std::size_t size = read_number<std::uint32_t>();
    if (size > left()) refuse("string", size, 1, left());
    return size;
  }

  /// Reads the field where bytes remain in this message or envelope, else sets the default.
  template <class T>
  void optional_tail(T& field, const std::type_identity_t<T>& fallback = {}) {
    if (left() > 0 && dialect_ != Dialect::first) {
      (*this)(field);
    } else {
      field = fallback;
    }
  }

  /// See OutArchive::write_unknown_tail().
  void read_unknown_tail() {
    if (dialect_ == Dialect::next && left() > 0 &&
        read_number<std::uint32_t>() != next_dialect_field) {
      throw WireError("bytes after the value");
    }
  }

  void enter() {
    if (++depth_ > nesting_depth_max) throw WireError("nested deeper than 32");
  }
  void leave() { --depth_; }

  /// Narrows the archive to the next `size` bytes; returns what to give to leave_envelope().
  const char* enter_envelope(std::size_t size) {
    const char* start = take(size);
    next_ = start;
    return std::exchange(end_, start + size);
  }
  void leave_envelope(const char* outer_end) {
    next_ = end_;
    end_ = outer_end;
  }

  [[noreturn]] static void refuse(const char* what, std::uint64_t count,
                                  std::size_t element_size_min, std::size_t left) {
    throw WireError(std::string(what) + ": " + std::to_string(count) + " of at least " +
                    std::to_string(element_size_min) + " bytes, limit " +
                    std::to_string(element_count_max) + " and " + std::to_string(left) +
                    " bytes left");
  }

 private:
  const char* next_;
  const char* end_;
  int depth_ = 0;
  Dialect dialect_;
};

/// True for the two archives of this file: what the overloads below are for.
template <class A>
concept WireArchive = std::is_same_v<A, OutArchive> || std::is_same_v<A, BoundedInArchive>;

enum class Trailing : std::uint8_t {
  refused,  ///< bytes after the value are an error
  ignored,  ///< they are fields of a newer version
};

/// Appends the value's bytes.
template <class T>
void encode_to(std::string& target, const T& value, Dialect dialect = Dialect::current);
template <class T>
std::string encode(const T& value);
/// Fails with `corrupt`: truncated, a count beyond the bytes left or the bounds above, a bool
/// other than 0 and 1, an unknown enum value, order or nesting violated, trailing bytes.
template <class T>
Result<T> decode(std::string_view bytes, Trailing trailing = Trailing::refused,
                 Dialect dialect = Dialect::current);

}  // namespace librm

#include "librm/wire/impl/archive.ipp"
