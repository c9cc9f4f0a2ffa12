// Why somebody waits: one reason for each agent, and all of them in a sentence.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "librm/base/config.hpp"
#include "librm/base/id.hpp"
#include "librm/resource/fits.hpp"

namespace librm {

struct Explanation {
  AgentId agent;
  std::string hostname;
  bool fits = false;
  /// `mem: need 65536, free 49152`; `declined: "..." for 4 s more`; `fits`
  std::string reason;
  std::optional<Shortage> shortage{};  ///< where the reason is one of what is free
};

/// `4 of 6 agents fit; 2 short of mem: need 65536, most free 49152`: reasons by how many agents
/// have them, most first, ties in the order of their text.
LIBRM_DECL std::string summary(const std::vector<Explanation>& explanations);

}  // namespace librm

#if defined(LIBRM_HEADER_ONLY)
#include "librm/alloc/impl/explain.ipp"
#endif
