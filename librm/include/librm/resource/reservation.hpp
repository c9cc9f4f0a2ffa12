// For whom resources are kept: roles, reservations in layers, and volumes that outlive tasks.
#pragma once

#include <compare>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "librm/base/config.hpp"
#include "librm/base/result.hpp"

namespace librm {

/// The role that everybody may use: what is not reserved.
inline constexpr std::string_view any_role = "*";

/// Role names: `*`, or parts of `[A-Za-z0-9_.-]` joined by `/`, at most 255 bytes; a part is not
/// `.` or `..` and does not begin with `-`. The error says what is wrong.
LIBRM_DECL Result<void> check_role(std::string_view role);

/// True for `eng/backend` and `eng`, not for `engine` or `eng` itself. Nothing is below `*`.
inline bool is_below(std::string_view role, std::string_view ancestor) {
  return role.size() > ancestor.size() && role[ancestor.size()] == '/' &&
         role.starts_with(ancestor);
}

/// One layer of a reservation. Static ones come with the agent's start and stay; dynamic ones are
/// made and undone while it runs. Layers that differ in anything are never merged.
struct Reservation {
  std::string role;
  bool dynamic = false;
  std::string principal;  ///< who made it; empty: unknown
  std::map<std::string, std::string, std::less<>> labels;
  auto operator<=>(const Reservation&) const = default;
  bool operator==(const Reservation&) const = default;
};

/// The layers of one reservation, outermost first: each role is below the one before it, and only
/// the first may be static. Empty: unreserved.
using Reservations = std::vector<Reservation>;

inline constexpr std::size_t reservation_layers_max = 16;

/// One static layer, or none for `*`.
inline Reservations reserved_for(std::string_view role) {
  if (role == any_role) return {};
  return {Reservation{std::string(role), false, {}, {}}};
}

/// Roles that are valid and not `*`, in the order that Reservations asks for, at most 16. The error
/// says which is wrong and why.
LIBRM_DECL Result<void> check_reservations(const Reservations& reservations);

/// A directory on reserved disk that is kept when tasks end. It is one piece: never merged with
/// what is beside it, never split.
struct Volume {
  std::string id;         ///< unique on its agent, not empty
  bool shared = false;    ///< several tasks may use it at once
  std::string principal;  ///< who made it; empty: unknown
  auto operator<=>(const Volume&) const = default;
  bool operator==(const Volume&) const = default;
};

}  // namespace librm

#if defined(LIBRM_HEADER_ONLY)
#include "librm/resource/impl/reservation.ipp"
#endif
