// How each kind of value is written and read, with the bounds that make reading safe.
#pragma once

#include "librm/base/amount.hpp"
#include "librm/base/id.hpp"
#include "librm/base/time.hpp"
#include "librm/wire/archive.hpp"
#include "librm/wire/fields.hpp"

namespace librm {

// --- the smallest encoding of a type, which bounds how many can be in the bytes that are left ---

template <class T>
std::size_t wire_size_min();

namespace detail {

/// Stands in for an archive: adds up the smallest encodings of the fields that must be there.
struct SizeCounter {
  std::size_t size = 0;

  template <class... Fields>
  void operator()(const Fields&... fields) {
    (add(fields), ...);
  }
  template <class T>
  void add(const T&) {
    size += wire_size_min<T>();
  }
  template <class T>
  void add(const Enveloped<T>&) {
    size += sizeof(std::uint16_t) + sizeof(std::uint32_t);
  }
  template <class T, class Default = T>
  void optional_tail(const T&, const Default& = {}) {}
};

template <class T>
struct IsVariant : std::false_type {};
template <class... Ts>
struct IsVariant<std::variant<Ts...>> : std::true_type {};
template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};
template <class T>
struct IsPair : std::false_type {};
template <class A, class B>
struct IsPair<std::pair<A, B>> : std::true_type {};
template <class T>
struct IsContainer : std::false_type {};
template <>
struct IsContainer<std::string> : std::true_type {};
template <class T>
struct IsContainer<std::vector<T>> : std::true_type {};
template <class K, class C>
struct IsContainer<std::set<K, C>> : std::true_type {};
template <class K, class V, class C>
struct IsContainer<std::map<K, V, C>> : std::true_type {};

}  // namespace detail

/// For types whose smallest encoding their serialize() does not show; to be specialised.
template <class T>
struct MinWireSize {
  static std::size_t value() {
    static const std::size_t size = [] {
      T example{};
      detail::SizeCounter counter;
      if constexpr (requires { serialize(counter, example); }) serialize(counter, example);
      return counter.size > 0 ? counter.size : std::size_t{1};
    }();
    return size;
  }
};

template <class T>
std::size_t wire_size_min() {
  if constexpr (std::is_arithmetic_v<T> || std::is_enum_v<T>) {
    return sizeof(T);
  } else if constexpr (detail::IsContainer<T>::value) {
    return sizeof(std::uint32_t);
  } else if constexpr (detail::IsOptional<T>::value) {
    return 1;
  } else if constexpr (detail::IsVariant<T>::value) {
    return sizeof(std::uint16_t);
  } else if constexpr (detail::IsPair<T>::value) {
    return wire_size_min<std::remove_const_t<typename T::first_type>>() +
           wire_size_min<typename T::second_type>();
  } else if constexpr (std::is_empty_v<T>) {
    return 1;  // see write_element()
  } else {
    return MinWireSize<T>::value();
  }
}

namespace detail {

/// An element without any bytes would make counts unbounded, so it gets one.
template <class T>
void write_element(OutArchive& archive, const T& element) {
  if constexpr (std::is_empty_v<T>) {
    archive.write_number(std::uint8_t{0});
  } else {
    archive(element);
  }
}

template <class T>
void read_element(BoundedInArchive& archive, T& element) {
  if constexpr (std::is_empty_v<T>) {
    if (archive.read_number<std::uint8_t>() != 0) throw WireError("filler byte: need 0");
  } else {
    archive(element);
  }
}

template <class Container>
void write_elements(OutArchive& archive, const Container& container) {
  LIBRM_CHECK(container.size() <= element_count_max, "no reader takes more elements");
  archive.write_count(container.size());
  for (const auto& element : container) write_element(archive, element);
}

inline void check_ascending(bool ascending) {
  if (!ascending) throw WireError("keys of a map or set are not in ascending order");
}

}  // namespace detail

// --- numbers, enums ---

template <class T>
requires(std::is_arithmetic_v<T> && !std::is_same_v<T, bool>) void save(OutArchive& archive,
                                                                        const T& value) {
  static_assert(!std::is_same_v<T, long double>, "its width differs between machines");
  archive.write_number(value);
}

template <class T>
requires(std::is_arithmetic_v<T> && !std::is_same_v<T, bool>) void load(BoundedInArchive& archive,
                                                                        T& value) {
  value = archive.read_number<T>();
}

template <std::same_as<bool> T>
void save(OutArchive& archive, const T& value) {
  archive.write_number(static_cast<std::uint8_t>(value));
}

template <std::same_as<bool> T>
void load(BoundedInArchive& archive, T& value) {
  const auto byte = archive.read_number<std::uint8_t>();
  if (byte > 1) throw WireError("bool: need 0 or 1, got " + std::to_string(byte));
  value = byte != 0;
}

template <class T>
requires std::is_enum_v<T>
void save(OutArchive& archive, const T& value) {
  LIBRM_CHECK(value >= WireEnum<T>::first && value <= WireEnum<T>::last, "a known enum value");
  archive.write_number(static_cast<std::underlying_type_t<T>>(value));
}

template <class T>
requires std::is_enum_v<T>
void load(BoundedInArchive& archive, T& value) {
  const auto number = archive.read_number<std::underlying_type_t<T>>();
  const auto read = static_cast<T>(number);
  if (read < WireEnum<T>::first || read > WireEnum<T>::last) {
    throw WireError("enum: unknown value " + std::to_string(number));
  }
  value = read;
}

// --- strings and containers ---

inline void save(OutArchive& archive, const std::string& value) {
  LIBRM_CHECK(value.size() <= std::numeric_limits<std::uint32_t>::max(), "a size has 32 bits");
  archive.write_count(value.size());
  archive.write(value.data(), value.size());
}

inline void load(BoundedInArchive& archive, std::string& value) {
  const std::size_t size = archive.read_string_size();
  value.assign(archive.take(size), size);
}

template <class T>
void save(OutArchive& archive, const std::vector<T>& value) {
  static_assert(!std::is_same_v<T, bool>, "use std::vector<std::uint8_t>");
  detail::write_elements(archive, value);
}

template <class T>
void load(BoundedInArchive& archive, std::vector<T>& value) {
  value.clear();
  value.resize(archive.read_count(wire_size_min<T>()));
  for (T& element : value) detail::read_element(archive, element);
}

template <class K, class C>
void save(OutArchive& archive, const std::set<K, C>& value) {
  detail::write_elements(archive, value);
}

template <class K, class C>
void load(BoundedInArchive& archive, std::set<K, C>& value) {
  value.clear();
  for (std::size_t n = archive.read_count(wire_size_min<K>()); n > 0; --n) {
    K key{};
    detail::read_element(archive, key);
    detail::check_ascending(value.empty() || value.key_comp()(*value.rbegin(), key));
    value.emplace_hint(value.end(), std::move(key));
  }
}

template <class K, class V, class C>
void save(OutArchive& archive, const std::map<K, V, C>& value) {
  LIBRM_CHECK(value.size() <= element_count_max, "no reader takes more elements");
  archive.write_count(value.size());
  for (const auto& [key, mapped] : value) archive(key, mapped);
}

template <class K, class V, class C>
void load(BoundedInArchive& archive, std::map<K, V, C>& value) {
  value.clear();
  for (std::size_t n = archive.read_count(wire_size_min<K>() + wire_size_min<V>()); n > 0; --n) {
    K key{};
    archive(key);
    detail::check_ascending(value.empty() || value.key_comp()(value.rbegin()->first, key));
    archive(value.emplace_hint(value.end(), std::move(key), V{})->second);
  }
}

template <WireArchive A, class First, class Second>
void serialize(A& archive, std::pair<First, Second>& value) {
  archive(value.first, value.second);
}

// --- optional, variant ---

template <class T>
void save(OutArchive& archive, const std::optional<T>& value) {
  archive(value.has_value());
  if (value) archive(*value);
}

template <class T>
void load(BoundedInArchive& archive, std::optional<T>& value) {
  bool present = false;
  archive(present);
  value.reset();
  if (present) archive(value.emplace());
}

template <WireArchive A>
void serialize(A&, std::monostate&) {}

template <class... Ts>
void save(OutArchive& archive, const std::variant<Ts...>& value) {
  archive.write_number(static_cast<std::uint16_t>(value.index()));
  std::visit([&](const auto& alternative) { archive(alternative); }, value);
}

template <class... Ts>
void load(BoundedInArchive& archive, std::variant<Ts...>& value) {
  const std::size_t index = archive.read_number<std::uint16_t>();
  std::size_t i = 0;
  const auto try_one = [&]<class T>(std::type_identity<T>) {
    if (i++ == index) archive(value.template emplace<T>());
  };
  (try_one(std::type_identity<Ts>()), ...);
  if (index >= sizeof...(Ts)) {
    throw WireError("variant: unknown alternative " + std::to_string(index));
  }
}

// --- envelopes, and what Cereal's own headers for other types need ---

template <class T>
void save(OutArchive& archive, const Enveloped<T>& envelope) {
  archive.write_number(version_in(archive.dialect(), envelope.version));
  const std::size_t size_position = archive.used();
  archive.write_number(std::uint32_t{0});
  archive(envelope.value);
  archive.write_unknown_tail();
  const std::size_t size = archive.used() - size_position - sizeof(std::uint32_t);
  archive.write_size_at(size_position, static_cast<std::uint32_t>(size));
}

/// After reading, the envelope's version is the writer's.
template <class T>
void load(BoundedInArchive& archive, Enveloped<T>& envelope) {
  envelope.version = archive.read_number<std::uint16_t>();
  const char* outer_end = archive.enter_envelope(archive.read_number<std::uint32_t>());
  archive(envelope.value);
  archive.leave_envelope(outer_end);
}

template <class T>
void save(OutArchive& archive, const cereal::SizeTag<T>& tag) {
  archive.write_number(static_cast<std::uint64_t>(tag.size));
}

template <class T>
void load(BoundedInArchive& archive, cereal::SizeTag<T>& tag) {
  tag.size = archive.read_number<std::uint64_t>();
  archive.check_count(tag.size, 1);
}

template <WireArchive A, class T>
void serialize(A& archive, cereal::NameValuePair<T>& pair) {
  archive(pair.value);
}

template <class T>
void prologue(BoundedInArchive& archive, const T&) {
  if constexpr (std::is_class_v<T>) archive.enter();
}

template <class T>
void epilogue(BoundedInArchive& archive, const T&) {
  if constexpr (std::is_class_v<T>) archive.leave();
}

// --- the values of base ---

template <WireArchive A, class Tag>
void serialize(A& archive, NumberId<Tag>& id) {
  archive(id.value);
}
template <class Tag>
struct MinWireSize<NumberId<Tag>> {
  static constexpr std::size_t value() { return sizeof(std::uint64_t); }
};

LIBRM_WIRE(Duration, ns)
LIBRM_WIRE(Instant, ns)
LIBRM_WIRE(WallTime, ns)

inline void save(OutArchive& archive, const Amount& amount) { archive.write_number(amount.milli); }
inline void load(BoundedInArchive& archive, Amount& amount) {
  amount.milli = archive.read_number<std::int64_t>();
  if (amount.milli > Amount::milli_max || amount.milli < -Amount::milli_max) {
    throw WireError("amount: " + std::to_string(amount.milli) + " thousandths, limit " +
                    std::to_string(Amount::milli_max));
  }
}
template <>
struct MinWireSize<Amount> {
  static constexpr std::size_t value() { return sizeof(std::int64_t); }
};

// --- the doors ---

template <class T>
void encode_to(std::string& target, const T& value, Dialect dialect) {
  OutArchive archive(target, dialect);
  archive(value);
  archive.write_unknown_tail();
  archive.finish();
}

template <class T>
std::string encode(const T& value) {
  std::string bytes;
  encode_to(bytes, value);
  return bytes;
}

template <class T>
Result<T> decode(std::string_view bytes, Trailing trailing, Dialect dialect) {
  try {
    BoundedInArchive archive(bytes, dialect);
    T value{};
    archive(value);
    archive.read_unknown_tail();
    if (archive.left() > 0 && trailing == Trailing::refused) {
      return fail(ErrorCode::corrupt,
                  "decode: " + std::to_string(archive.left()) + " bytes after the value");
    }
    return value;
  } catch (const std::exception& exception) {
    return fail(ErrorCode::corrupt, std::string("decode: ") + exception.what());
  }
}

}  // namespace librm

// Cereal has its own way with enums, which takes any number; ours is the one that is used.
template <librm::WireArchive A, class E>
requires std::is_enum_v<E>
struct cereal::specialize<A, E, cereal::specialization::non_member_load_save> : std::true_type {
};

CEREAL_SETUP_ARCHIVE_TRAITS(librm::BoundedInArchive, librm::OutArchive)
