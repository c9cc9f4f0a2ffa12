// The placer that knows no topology.
#pragma once

#include "librm/alloc/placer.hpp"
#include "librm/resource/fits.hpp"

namespace librm {

LIBRM_DECL Result<Resources> AnywherePlacer::place(const Demand& demand, AgentId,
                                                   const Resources& free) const {
  return select(demand.shape, free, demand.role);
}

}  // namespace librm
