// Topology enters the allocator through this interface, so that it needs to know no hwloc.
#pragma once

#include "librm/alloc/demand.hpp"
#include "librm/base/id.hpp"
#include "librm/base/result.hpp"
#include "librm/resource/resources.hpp"

namespace librm {

/// Decides whether and where on an agent a demand's shape can sit. Pure: the same arguments give
/// the same answer. Called on the thread that uses the Allocator.
class Placer {
 public:
  virtual ~Placer() = default;
  /// The part of `free` that the shape would take, or the reason why not.
  virtual Result<Resources> place(const Demand& demand, AgentId agent,
                                  const Resources& free) const = 0;
};

/// Ignores topology: lowest ports first, reserved before unreserved.
class AnywherePlacer final : public Placer {
 public:
  Result<Resources> place(const Demand& demand, AgentId agent,
                          const Resources& free) const override;
};

}  // namespace librm

#if defined(LIBRM_HEADER_ONLY)
#include "librm/alloc/impl/placer.ipp"
#endif
