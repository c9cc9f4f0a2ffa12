// Bodies of what reads and changes the elements of arrays.
#include "elements.hpp"

#include <algorithm>
#include <utility>

#include "batch/array_text.hpp"

namespace batch {

namespace {

using librm::Ranges;

constexpr std::size_t indices_text_max = 60;

ArrayElements& elements_of(Job& job) { return *job.elements; }

void note_end(ArrayElements& elements, const std::optional<librm::WallTime>& ended) {
  if (ended) elements.ended = std::max(elements.ended.value_or(*ended), *ended);
}

Execution as_execution(const ElementGroup& group) {
  Execution execution;
  execution.state = group.state;
  execution.reason = group.reason;
  execution.ended = group.ended;
  execution.cancel_requested = group.state == JobState::cancelled;
  return execution;
}

/// Those of `among` that `wanted` is true of.
template <class Wanted>
Ranges select(const Job& job, const Ranges& among, Wanted wanted) {
  Ranges indices;
  for (const ElementGroup& group : job.elements->groups) {
    if (wanted(as_execution(group))) indices += common(group.indices, among);
  }
  std::vector<librm::Range> launched;
  each_launched(job.elements->launched, among,
                [&](std::uint32_t index, const Execution& execution) {
                  if (wanted(execution)) launched.push_back({index, index});
                });
  return indices += Ranges(std::move(launched));
}

/// Takes the indices out of their groups, and the groups that are empty then away.
void take(ArrayElements& elements, const Ranges& indices) {
  for (ElementGroup& group : elements.groups) {
    const std::uint64_t before = group.indices.count();
    group.indices -= indices;
    elements.counts.remove(group.state, before - group.indices.count());
  }
  std::erase_if(elements.groups, [](const ElementGroup& group) { return group.indices.empty(); });
}

void put_group(ArrayElements& elements, ElementGroup group) {
  if (group.indices.empty()) return;
  elements.counts.add(group.state, group.indices.count());
  note_end(elements, group.ended);
  const auto same =
      std::find_if(elements.groups.begin(), elements.groups.end(), [&](const ElementGroup& other) {
        return other.state == group.state && other.reason == group.reason &&
               other.ended == group.ended;
      });
  if (same == elements.groups.end()) {
    elements.groups.push_back(std::move(group));
  } else {
    same->indices += group.indices;
  }
}

/// What an action makes of elements that were never launched: they have no run to count up.
ElementGroup after_action(const ElementGroup& group, const Ranges& indices,
                          const ElementActionRecord& record) {
  const Execution changed =
      after_action(as_execution(group), record.action, record.reason, record.at);
  const bool waits = changed.state == JobState::pending;
  return {indices, changed.state, waits ? "" : changed.reason, changed.ended};
}

JobState state_of(const StateCounts& counts) {
  for (const JobState state : {JobState::running, JobState::pending, JobState::held,
                               JobState::failed, JobState::cancelled}) {
    if (counts[state] > 0) return state;
  }
  return JobState::finished;
}

/// Of the first element in this state that has one.
std::string reason_in(const ArrayElements& elements, JobState state) {
  for (const ElementGroup& group : elements.groups) {
    if (group.state == state && !group.reason.empty()) return group.reason;
  }
  for (const auto& [index, execution] : elements.launched) {
    if (execution.state == state && !execution.reason.empty()) return execution.reason;
  }
  return {};
}

std::string shortened(std::string text) {
  if (text.size() <= indices_text_max) return text;
  const std::size_t comma = text.rfind(',', indices_text_max);
  text.resize(comma == text.npos ? indices_text_max : comma);
  return text + ",...";
}

std::string reason_of_end(const Job& job) {
  const ArrayElements& elements = *job.elements;
  const std::uint64_t failed = elements.counts[JobState::failed];
  const std::uint64_t cancelled = elements.counts[JobState::cancelled];
  const std::string size = std::to_string(size_of(job.spec));
  std::string text;
  if (failed > 0) {
    text = std::to_string(failed) + " of " + size +
           " elements failed: " + shortened(indices_text(elements_in(job, JobState::failed)));
  }
  if (cancelled == 0) return text;
  if (failed > 0) return text + "; " + std::to_string(cancelled) + " cancelled";
  const std::string reason = reason_in(elements, JobState::cancelled);
  if (cancelled == size_of(job.spec)) return reason;
  return std::to_string(cancelled) + " of " + size + " elements cancelled: " + reason;
}

/// The highest that a shell would see of those that failed.
std::optional<std::int32_t> exit_code_of_end(const Job& job) {
  if (job.state == JobState::finished) return 0;
  std::optional<std::int32_t> highest;
  for (const auto& [index, execution] : job.elements->launched) {
    if (execution.state != JobState::failed) continue;
    const std::int32_t code =
        execution.exit_code.value_or(execution.signal ? 128 + *execution.signal : 1);
    highest = std::max(highest.value_or(code), code);
  }
  return highest;
}

}  // namespace

Execution after_action(Execution execution, JobAction action, const std::string& reason,
                       librm::WallTime at) {
  switch (action) {
    case JobAction::cancel:
      execution.cancel_requested = true;
      execution.reason = reason;
      // With a lost attempt under way that may overlap, nobody waits for its end.
      if (execution.state == JobState::running) break;
      execution.state = JobState::cancelled;
      execution.ended = at;
      execution.not_before.reset();
      break;
    case JobAction::hold:
      execution.state = JobState::held;
      execution.reason = reason;
      break;
    case JobAction::release:
      execution.state = JobState::pending;
      execution.reason.clear();
      break;
    case JobAction::requeue:
      ++execution.run;
      execution.failures = 0;
      execution.reason = reason;
      break;
    case JobAction::retry: {
      Execution again;
      again.reason = reason;
      again.run = execution.run + 1;
      again.attempts = std::move(execution.attempts);
      return again;
    }
  }
  return execution;
}

bool suits(JobAction action, const Execution& execution) {
  const JobState state = execution.state;
  switch (action) {
    case JobAction::cancel:
      return !is_terminal(state) && !execution.cancel_requested;
    case JobAction::hold:
      return state == JobState::pending;
    case JobAction::release:
      return state == JobState::held;
    case JobAction::requeue:
      return state == JobState::running && !execution.cancel_requested;
    case JobAction::retry:
      return state == JobState::failed || state == JobState::cancelled;
  }
  return false;
}

std::uint64_t size_of(const JobSpec& spec) { return spec.array ? spec.array->indices.count() : 1; }

Ranges single(std::uint32_t index) { return Ranges({{index, index}}); }

Ranges common(const Ranges& a, const Ranges& b) {
  Ranges only_a = a;
  only_a -= b;
  Ranges both = a;
  both -= only_a;
  return both;
}

void begin_elements(Job& job) {
  job.elements.emplace();
  put_group(*job.elements, {job.spec.array->indices, job.state, job.reason, job.ended});
}

void count_elements(Job& job) {
  ArrayElements& elements = elements_of(job);
  elements.counts = {};
  for (const ElementGroup& group : elements.groups) {
    elements.counts.add(group.state, group.indices.count());
  }
  for (const auto& [index, execution] : elements.launched) elements.counts.add(execution.state, 1);
}

const Execution* find_launched(const Job& job, std::uint32_t index) {
  const auto found = job.elements->launched.find(index);
  return found == job.elements->launched.end() ? nullptr : &found->second;
}

std::optional<Execution> element_of(const Job& job, std::uint32_t index) {
  if (const Execution* launched = find_launched(job, index)) return *launched;
  const Ranges wanted = single(index);
  for (const ElementGroup& group : job.elements->groups) {
    if (group.indices.contains(wanted)) return as_execution(group);
  }
  return std::nullopt;
}

Ranges elements_in(const Job& job, JobState state, const Ranges& among) {
  return select(job, among, [state](const Execution& one) { return one.state == state; });
}

Ranges elements_in(const Job& job, JobState state) {
  return elements_in(job, state, job.spec.array->indices);
}

const Ranges& never_launched(const Job& job) {
  static const Ranges none;
  for (const ElementGroup& group : job.elements->groups) {
    if (group.state == JobState::pending) return group.indices;
  }
  return none;
}

Ranges waiting(const Job& job) {
  Ranges indices;
  for (const ElementGroup& group : job.elements->groups) {
    if (!is_terminal(group.state)) indices += group.indices;
  }
  return indices;
}

Ranges suited(const Job& job, JobAction action, const Ranges& among) {
  return select(job, among, [action](const Execution& one) { return suits(action, one); });
}

Execution& launched_element(Job& job, std::uint32_t index) {
  const auto [element, is_new] = elements_of(job).launched.try_emplace(index);
  if (is_new) {
    take(elements_of(job), single(index));
    elements_of(job).counts.add(element->second.state, 1);
  }
  return element->second;
}

void note_change(Job& job, JobState before, const Execution& now) {
  elements_of(job).counts.remove(before, 1);
  elements_of(job).counts.add(now.state, 1);
  note_end(elements_of(job), now.ended);
}

void note_start(Job& job, librm::WallTime started) {
  std::optional<librm::WallTime>& first = elements_of(job).started;
  first = std::min(first.value_or(started), started);
}

void act_on_elements(Job& job, const ElementActionRecord& record) {
  ArrayElements& elements = elements_of(job);
  std::vector<ElementGroup> changed;
  for (const ElementGroup& group : elements.groups) {
    if (!suits(record.action, as_execution(group))) continue;
    ElementGroup moved = after_action(group, common(group.indices, record.indices), record);
    if (!moved.indices.empty()) changed.push_back(std::move(moved));
  }
  for (ElementGroup& group : changed) {
    take(elements, group.indices);
    put_group(elements, std::move(group));
  }
  each_launched(elements.launched, record.indices, [&](std::uint32_t, Execution& execution) {
    if (!suits(record.action, execution)) return;
    const JobState before = execution.state;
    execution = after_action(std::move(execution), record.action, record.reason, record.at);
    note_change(job, before, execution);
  });
  if (record.action == JobAction::retry) {
    job.cancel_requested = false;
    ++job.run;
  } else if (record.action == JobAction::cancel &&
             suited(job, JobAction::cancel, job.spec.array->indices).empty()) {
    job.cancel_requested = true;
    job.reason = record.reason;
  }
}

void settle_whole(Job& job) {
  const ArrayElements& elements = *job.elements;
  job.state = state_of(elements.counts);
  // Else it may be known from an update that no record tells of.
  if (elements.started) job.started = elements.started;
  job.ended.reset();
  job.exit_code.reset();
  if (is_terminal(job.state)) {
    job.ended = elements.ended;
    job.exit_code = exit_code_of_end(job);
    job.reason = reason_of_end(job);
  } else if (!job.cancel_requested) {
    job.reason = job.state == JobState::held ? reason_in(elements, JobState::held) : "";
  }
}

}  // namespace batch
