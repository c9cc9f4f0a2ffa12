// Scenarios as a few lines of text: a cluster, its workload, and what is done to it.
#pragma once

#include <cstdint>
#include <string_view>

#include "librm/base/result.hpp"
#include "scenario.hpp"

namespace rm_sim {

/// One statement a line, `agents` first; `#` begins a comment. The language is in README.md. What
/// the text does not say is drawn from the seed, except for faults: there are none but those of the
/// text. invalid_argument names the place: `line 3, column 11: ...`.
librm::Result<Scenario> parse_scenario(std::string_view text, std::uint64_t seed);

}  // namespace rm_sim
