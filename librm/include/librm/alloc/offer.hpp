// An offer: a lease on free resources of one agent, made to one framework in one role.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "librm/base/id.hpp"
#include "librm/base/time.hpp"
#include "librm/resource/resources.hpp"

namespace librm {

struct Offer {
  OfferId id;
  FrameworkId framework;
  std::string role;
  AgentId agent;
  Resources resources;
  Instant expires;  ///< after this it is rescinded, and accepting it is refused
  /// Planned unavailability of the agent: what is launched should end before.
  std::optional<WallTime> available_until;
  /// Set where the offer serves a demand's earmark.
  std::optional<EarmarkId> earmark;
  DemandId demand{};           ///< of the earmark
  std::uint32_t together = 0;  ///< how many offers the earmark became, all at once; with this one
  /// Set where it is lent: it belongs to somebody's earmark, and what is launched must end by then.
  std::optional<Instant> lent_until;
};

}  // namespace librm
