// Arrays, changed: elements leave their groups when they are launched, and the whole follows.
#pragma once

#include <cstdint>
#include <string>

#include "batch/array.hpp"
#include "batch/job.hpp"
#include "batch/record.hpp"
#include "librm/resource/resources.hpp"

namespace batch {

/// What an action makes of a job or an element that it suits.
Execution after_action(Execution execution, JobAction action, const std::string& reason,
                       librm::WallTime at);
/// Whether it would change anything that is in this state.
bool suits(JobAction action, const Execution& execution);

// --- of arrays only ---

/// As submitted: one group of all elements, in the job's state.
void begin_elements(Job& job);
/// Counts anew, from the groups and what was launched.
void count_elements(Job& job);
/// Those that are pending and were never launched.
const librm::Ranges& never_launched(const Job& job);
/// Those and the ones among them that are held.
librm::Ranges waiting(const Job& job);
/// Those of `among` that an action would change.
librm::Ranges suited(const Job& job, JobAction action, const librm::Ranges& among);

/// The element as one that was launched; leaves its group if it was in one. Who changes it says so
/// by note_change().
Execution& launched_element(Job& job, std::uint32_t index);
void note_change(Job& job, JobState before, const Execution& now);
/// That one of them ran, once a record says so.
void note_start(Job& job, librm::WallTime started);
/// Calls `use(index, execution)` with those of `among` that were launched.
template <class Launched, class Use>
void each_launched(Launched& launched, const librm::Ranges& among, Use use) {
  for (const librm::Range& range : among.list()) {
    auto at = launched.lower_bound(static_cast<std::uint32_t>(range.begin));
    for (; at != launched.end() && at->first <= range.end; ++at) use(at->first, at->second);
  }
}

/// The elements that the action suits get what follows from it.
void act_on_elements(Job& job, const ElementActionRecord& record);
/// What the whole is, from its elements: state, reason, times and exit code.
void settle_whole(Job& job);

}  // namespace batch
