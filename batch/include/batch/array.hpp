// Arrays, read: how many elements there are, and how it is with each.
#pragma once

#include <cstdint>
#include <optional>

#include "batch/job.hpp"
#include "librm/resource/resources.hpp"

namespace batch {

/// The number of its elements, 1 for a job that is no array.
std::uint64_t size_of(const JobSpec& spec);

librm::Ranges single(std::uint32_t index);
librm::Ranges common(const librm::Ranges& a, const librm::Ranges& b);

// --- of jobs that are arrays; all else is a precondition broken ---

/// The element with its history, or none if it was never launched.
const Execution* find_launched(const Job& job, std::uint32_t index);
/// How it is with any element; none where the array has no such index.
std::optional<Execution> element_of(const Job& job, std::uint32_t index);
/// Those of `among` that are in this state.
librm::Ranges elements_in(const Job& job, JobState state, const librm::Ranges& among);
/// All of them.
librm::Ranges elements_in(const Job& job, JobState state);
}  // namespace batch
