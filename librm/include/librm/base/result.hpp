// What a correct program can meet: a value, or an error with a closed code and a clear message.
#pragma once

#include <cstdint>
#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace librm {

/// Closed and numbered: the numbers travel on the wire and to Python, so they never change.
/// A new code is added only where a caller would react differently.
enum class ErrorCode : std::uint16_t {
  invalid_argument = 1,     ///< the request itself is wrong; repeating it will not help
  not_found = 2,            ///< the named object does not exist (any more)
  already_exists = 3,       ///< the name or id is taken
  resource_exhausted = 4,   ///< it asks for more than there is
  failed_precondition = 5,  ///< right request, wrong state of its object
  permission_denied = 6,    ///< the caller may not
  unavailable = 7,          ///< nobody to ask now; try again later
  deadline_exceeded = 8,    ///< it took longer than the caller allowed
  corrupt = 9,              ///< bytes that no correct peer or disk produces
  unsupported = 10,         ///< a version or feature that this side does not have
  io_error = 11,            ///< the operating system refused; the message has its reason
  stale = 12,               ///< from an old epoch, session or offer; refresh and decide anew
};

/// The code's name as used in JSON, Python and documentation: `not_found`.
const char* to_string(ErrorCode code);

/// The message names the object, the limit and the amounts:
/// `agent a-3: cpus: need 4.000, free 2.500`.
struct Error {
  ErrorCode code = ErrorCode::invalid_argument;
  std::string message;
  bool operator==(const Error&) const = default;
};

template <class T>
using Result = tl::expected<T, Error>;

/// `return fail(ErrorCode::not_found, "job 42: no such job");`
inline tl::unexpected<Error> fail(ErrorCode code, std::string message) {
  return tl::unexpected<Error>(Error{code, std::move(message)});
}

inline const char* to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid_argument:
      return "invalid_argument";
    case ErrorCode::not_found:
      return "not_found";
    case ErrorCode::already_exists:
      return "already_exists";
    case ErrorCode::resource_exhausted:
      return "resource_exhausted";
    case ErrorCode::failed_precondition:
      return "failed_precondition";
    case ErrorCode::permission_denied:
      return "permission_denied";
    case ErrorCode::unavailable:
      return "unavailable";
    case ErrorCode::deadline_exceeded:
      return "deadline_exceeded";
    case ErrorCode::corrupt:
      return "corrupt";
    case ErrorCode::unsupported:
      return "unsupported";
    case ErrorCode::io_error:
      return "io_error";
    case ErrorCode::stale:
      return "stale";
  }
  return "unknown";
}

}  // namespace librm
