// Whether an agent's attributes are what a job asks for.
#pragma once

#include <optional>
#include <string>

#include "librm/resource/attributes.hpp"

namespace batch {

/// The first constraint that does not hold: `rack r1, has r2`; empty where all do.
inline std::optional<std::string> mismatch(const librm::Attributes& constraints,
                                           const librm::Attributes& attributes) {
  for (const auto& [name, wanted] : constraints) {
    auto found = attributes.find(name);
    if (found == attributes.end()) return name + " " + wanted + ", has none";
    if (found->second != wanted) return name + " " + wanted + ", has " + found->second;
  }
  return std::nullopt;
}

}  // namespace batch
