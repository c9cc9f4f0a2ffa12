// Whether an agent's attributes are what a job asks for.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "batch/job.hpp"
#include "batch/patterns.hpp"
#include "librm/resource/attributes.hpp"

namespace batch {

/// The first constraint that does not hold: `rack r1, has r2`, `rack like r[12], has r3`; empty
/// where all do.
inline std::optional<std::string> mismatch(const librm::Attributes& constraints,
                                           const std::vector<PatternConstraint>& patterns,
                                           const Patterns& engine,
                                           const librm::Attributes& attributes) {
  const auto has = [](const std::string& value) { return ", has " + value; };
  for (const auto& [name, wanted] : constraints) {
    auto found = attributes.find(name);
    if (found == attributes.end()) return name + " " + wanted + ", has none";
    if (found->second != wanted) return name + " " + wanted + has(found->second);
  }
  for (const PatternConstraint& one : patterns) {
    auto found = attributes.find(one.attribute);
    const bool matches = found != attributes.end() && engine.matches(one.pattern, found->second);
    if (matches == one.negated) {
      return one.attribute + (one.negated ? " unlike " : " like ") + one.pattern +
             (found == attributes.end() ? ", has none" : has(found->second));
    }
  }
  return std::nullopt;
}

/// Whether it may still run when planned maintenance begins. One without a time limit is taken at
/// its word: it may end at any time.
inline bool outlasts(const Job& job, std::optional<librm::WallTime> maintenance, librm::Now now) {
  if (!maintenance) return false;
  return now.wall + job.spec.time_limit.value_or(librm::Duration{}) >= *maintenance;
}

/// How long it holds its resources from its launch on; empty: not known. How long it takes to fetch
/// its files is not.
inline std::optional<librm::Duration> holds_at_most(const JobSpec& spec) {
  constexpr librm::Duration start_slack = librm::seconds(60);
  if (!spec.time_limit || !spec.command.fetch.empty()) return std::nullopt;
  return *spec.time_limit + spec.kill_grace + start_slack;
}

}  // namespace batch
