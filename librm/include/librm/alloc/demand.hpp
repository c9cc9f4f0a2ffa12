// What a framework says it waits for, so that offers can be planned and waiting be explained.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "librm/base/id.hpp"
#include "librm/base/time.hpp"
#include "librm/resource/attributes.hpp"
#include "librm/resource/request.hpp"

namespace librm {

struct Demand {
  DemandId id{};  ///< unique within the framework
  std::string role{};
  Request shape{};              ///< per node
  std::uint32_t count_min = 1;  ///< nodes; a gang is all or nothing
  std::uint32_t count_max = 1;
  std::int32_t order = 0;              ///< lower first, among this framework's demands
  std::optional<Duration> duration{};  ///< longest time that the work holds the resources
  bool preemptible = false;
  std::optional<WallTime> useful_until{};  ///< after this the demand is void
  Attributes constraints{};                ///< attribute name to the value it must have
  std::string topology{};                  ///< understood by the injected Placer only
  bool operator==(const Demand&) const = default;
};

}  // namespace librm
