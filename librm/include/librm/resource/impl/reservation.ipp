// What a role and a stack of reservations may look like.
#pragma once

#include <algorithm>

#include "librm/resource/impl/cursor.hpp"
#include "librm/resource/reservation.hpp"

namespace librm {

LIBRM_DECL Result<void> check_role(std::string_view role) {
  constexpr std::size_t role_bytes_max = 255;
  const auto refuse = [&](std::string_view why) {
    return fail(ErrorCode::invalid_argument,
                "role '" + std::string(role.substr(0, role_bytes_max)) + "' " + std::string(why));
  };
  if (role == any_role) return {};
  if (role.empty()) return refuse("is empty");
  if (role.size() > role_bytes_max) return refuse("is longer than 255 bytes");
  for (std::string_view rest = role;;) {
    const std::size_t slash = rest.find('/');
    const std::string_view part = rest.substr(0, slash);
    if (part.empty() || part == "." || part == "..")
      return refuse("has an empty part, '.' or '..'");
    if (part.front() == '-') return refuse("has a part that begins with '-'");
    if (!std::all_of(part.begin(), part.end(), detail::Cursor::is_name)) {
      return refuse("has a character other than [A-Za-z0-9_.-/]");
    }
    if (slash == std::string_view::npos) return {};
    rest.remove_prefix(slash + 1);
  }
}

LIBRM_DECL Result<void> check_reservations(const Reservations& reservations) {
  if (reservations.size() > reservation_layers_max) {
    return fail(ErrorCode::invalid_argument,
                std::to_string(reservations.size()) + " layers of reservations, at most 16");
  }
  const Reservation* outer = nullptr;
  for (const Reservation& layer : reservations) {
    if (auto valid = check_role(layer.role); !valid) return valid;
    const auto refuse = [&](const std::string& why) {
      return fail(ErrorCode::invalid_argument, "role '" + layer.role + "' " + why);
    };
    if (layer.role == any_role) return refuse("cannot be reserved for");
    if (outer != nullptr) {
      if (!is_below(layer.role, outer->role)) return refuse("is not below '" + outer->role + "'");
      if (!layer.dynamic) return refuse("refines a reservation, which only a dynamic one can");
    }
    outer = &layer;
  }
  return {};
}

}  // namespace librm
