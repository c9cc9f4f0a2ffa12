// What lies behind the handles of the C interface, and how a call crosses into C++ and back.
#pragma once

#include <cstdlib>
#include <cstring>
#include <exception>
#include <map>
#include <memory>
#include <new>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "librm/alloc/allocator.hpp"
#include "librm/c.h"

struct rm_error {
  librm::Error error;
};

struct rm_ids {
  std::vector<std::uint64_t> list;
};

/// With its texts made once, so that pointers to them last as long as the list.
struct rm_offer {
  librm::Offer offer;
  std::string resources;
};

struct rm_offers {
  std::vector<rm_offer> list;
};

struct rm_demand {
  librm::Demand demand;
};

struct rm_options {
  librm::AllocatorOptions options;
};

struct rm_parts {
  std::vector<librm::Allocator::Part> list;
};

namespace librm::c {

/// What is held, so that a wrong release is an error here and not a failed check there.
struct Holding {
  FrameworkId framework;
  AgentId agent;
  std::string role;
  std::optional<Instant> until;
  auto operator<=>(const Holding&) const = default;
};

}  // namespace librm::c

struct rm_allocator {
  std::unique_ptr<librm::Allocator> allocator;
  /// Without an end one sum; with one a piece for each time that something was booked.
  std::multimap<librm::c::Holding, librm::Resources> held;
};

namespace librm::c {

inline constexpr int code_internal = RM_INTERNAL;
/// Longest text that is taken from a caller, in bytes.
inline constexpr std::size_t text_bytes_max = 1 << 20;

/// A failure on its way out; thrown and caught within one call of the C interface.
struct Failure {
  rm_code code;
  std::string message;
};

[[noreturn]] inline void raise(rm_code code, std::string message) {
  throw Failure{code, std::move(message)};
}
[[noreturn]] inline void raise(const Error& error) {
  raise(static_cast<rm_code>(error.code), error.message);
}

/// The value of a result, or the call fails with its error.
template <class T>
T take(Result<T> result) {
  if (!result) raise(result.error());
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

inline rm_code report(rm_error** error, rm_code code, std::string message) noexcept {
  if (error == nullptr) return code;
  *error = new (std::nothrow) rm_error{{static_cast<ErrorCode>(code), std::move(message)}};
  return code;
}

/// Runs the body of one call. Nothing that is thrown leaves it.
template <class Body>
rm_code call(rm_error** error, Body body) noexcept {
  if (error != nullptr) *error = nullptr;
  try {
    body();
    return RM_OK;
  } catch (Failure& failure) {
    return report(error, failure.code, std::move(failure.message));
  } catch (const std::bad_alloc&) {
    return report(error, RM_RESOURCE_EXHAUSTED, "no memory");
  } catch (const std::exception& defect) {
    return report(error, RM_INTERNAL, defect.what());
  } catch (...) {
    return report(error, RM_INTERNAL, "unknown exception");
  }
}

/// What is behind a handle or an output, which must not be null.
template <class T>
T& need(T* pointer, const char* name) {
  if (pointer == nullptr) raise(RM_INVALID_ARGUMENT, std::string(name) + ": is null");
  return *pointer;
}

/// The bytes that a caller points at; of none it need not point anywhere.
inline std::string_view bytes_of(const void* bytes, std::size_t size, const char* name) {
  if (size == 0) return {};
  return {&need(static_cast<const char*>(bytes), name), size};
}

inline std::string_view text(const char* given, const char* name) {
  const std::string_view whole(&need(given, name));
  if (whole.size() > text_bytes_max) {
    raise(RM_INVALID_ARGUMENT, std::string(name) + ": " + std::to_string(whole.size()) +
                                   " bytes, limit " + std::to_string(text_bytes_max));
  }
  return whole;
}

template <class Id>
Id id(std::uint64_t value, const char* name) {
  if (value == 0) raise(RM_INVALID_ARGUMENT, std::string(name) + ": is 0, ids begin at 1");
  return Id{value};
}

inline std::int64_t within(std::int64_t value, std::int64_t low, std::int64_t high,
                           const char* name) {
  if (value >= low && value <= high) return value;
  raise(RM_INVALID_ARGUMENT, std::string(name) + ": " + std::to_string(value) + " is not within " +
                                 std::to_string(low) + ".." + std::to_string(high));
}

inline Instant instant(std::int64_t ns, const char* name) {
  return Instant{within(ns, 0, RM_TIME_MAX, name)};
}
inline WallTime wall_time(std::int64_t ns, const char* name) {
  return WallTime{within(ns, 0, RM_TIME_MAX, name)};
}
inline Duration duration(std::int64_t ns, const char* name) {
  return Duration{within(ns, 0, RM_DURATION_MAX, name)};
}
inline std::optional<Instant> maybe_instant(std::int64_t ns, const char* name) {
  if (ns == RM_NO_TIME) return std::nullopt;
  return instant(ns, name);
}

/// `a;b`, without white space around names and without empty ones.
std::set<std::string, std::less<>> names(const char* given, const char* name);
std::vector<OfferId> offer_ids(const std::uint64_t* offers, std::size_t count);
std::vector<Demand> demands_of(const rm_demand* const* demands, std::size_t count);

/// A copy that rm_text_free() frees.
char* new_text(std::string_view value);
rm_ids* new_ids(const std::vector<OfferId>& offers);
rm_offers* new_offers(std::vector<Offer> offers);

}  // namespace librm::c
