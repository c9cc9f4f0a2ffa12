// What a framework says it waits for, so that offers can be planned and waiting be explained.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "librm/base/id.hpp"
#include "librm/base/time.hpp"
#include "librm/resource/constraint.hpp"
#include "librm/resource/request.hpp"

namespace librm {

struct Demand {
  DemandId id{};  ///< unique within the framework
  std::string role{};
  Request shape{};              ///< per node; a node is an agent
  std::uint32_t count_min = 1;  ///< nodes; a gang is all or nothing
  std::uint32_t count_max = 1;  ///< more than count_min only where they are free at its start
  std::int32_t order = 0;       ///< lower first, among this framework's demands
  std::optional<Duration> duration{};  ///< longest time that the work holds the resources
  bool preemptible = false;
  std::optional<WallTime> useful_until{};  ///< after this the demand is void
  std::vector<Constraint> constraints{};   ///< of each node, and of how they are spread
  std::string same{};      ///< all nodes have the same value of this attribute: `rack`
  std::string topology{};  ///< understood by the injected Placer only
  bool operator==(const Demand&) const = default;
};

}  // namespace librm
