// What must hold after every step, said in words where it does not.
#include <algorithm>
#include <string>
#include <vector>

#include "batch/batch.hpp"
#include "edges.hpp"
#include "elements.hpp"
#include "text.hpp"

namespace batch {

namespace {

std::size_t live_attempts(const Execution& execution) {
  return static_cast<std::size_t>(
      std::count_if(execution.attempts.begin(), execution.attempts.end(),
                    [](const Attempt& a) { return !is_terminal(a.latest.state); }));
}

void check_attempts(const std::string& name, LostPolicy lost, const Execution& one,
                    std::vector<std::string>& wrong) {
  for (std::size_t i = 1; i < one.attempts.size(); ++i) {
    const Attempt& before = one.attempts[i - 1];
    const Attempt& after = one.attempts[i];
    if (std::pair(before.run, before.attempt) >= std::pair(after.run, after.attempt)) {
      wrong.push_back(name + "attempt numbers do not ascend");
    }
  }
  const std::size_t live = live_attempts(one);
  if (live > 1 && lost != LostPolicy::rerun) {
    wrong.push_back(name + std::to_string(live) + " live attempts, its policy is '" +
                    to_string(lost) + "'");
  }
  if (one.state == JobState::running && live == 0) {
    wrong.push_back(name + "runs without a live attempt");
  }
  if (live > 0 && (one.state == JobState::pending || one.state == JobState::held) &&
      lost != LostPolicy::rerun) {
    wrong.push_back(name + "waits with a live attempt");
  }
}

/// Of a job that is no array, or of an element.
void check_execution(const std::string& name, const Job& job, const Execution& one,
                     std::vector<std::string>& wrong) {
  check_attempts(name, job.spec.lost, one, wrong);
  if (!one.attempts.empty() && edges_block(job)) {
    wrong.push_back(name + "was started before its dependencies were satisfied");
  }
  if (is_terminal(one.state) != one.ended.has_value()) {
    wrong.push_back(name + "its state and the time of its end disagree");
  }
  if (one.failures > job.spec.retries + 1) {
    wrong.push_back(name + std::to_string(one.failures) + " failures, " +
                    std::to_string(job.spec.retries) + " retries");
  }
}

void check_elements(const Job& job, std::vector<std::string>& wrong) {
  const std::string name = text::job(job) + ": ";
  Job counted;
  counted.spec = job.spec;
  counted.elements = job.elements;
  count_elements(counted);
  if (counted.elements->counts != job.elements->counts) {
    wrong.push_back(name + "its elements were counted wrong");
  }
  librm::Ranges rest = job.spec.array->indices;
  std::uint64_t seen = job.elements->launched.size();
  for (const ElementGroup& group : job.elements->groups) {
    seen += group.indices.count();
    rest -= group.indices;
  }
  for (const auto& [index, one] : job.elements->launched) {
    rest -= single(index);
    check_execution(text::job(job) + " element " + std::to_string(index) + ": ", job, one, wrong);
  }
  if (!rest.empty() || seen != size_of(job.spec)) {
    wrong.push_back(name + "an element is missing, or there twice");
  }
  const std::uint32_t parallel_max = job.spec.array->parallel_max;
  if (parallel_max != 0 && job.spec.lost != LostPolicy::rerun &&
      job.elements->counts[JobState::running] > parallel_max) {
    wrong.push_back(name + "more elements run than may");
  }
}

/// Elements that wait although the same elements of all their parents have finished, or were freed
/// of these.
librm::Ranges overlooked(const BatchCore& core, const Job& child, const librm::Ranges& eligible) {
  librm::Ranges ready = waiting(child);
  for (const Edge& edge : child.edges) {
    const Job* parent = edge.kind == EdgeKind::corresponding ? core.find(edge.parent) : nullptr;
    if (parent != nullptr) ready = elements_in(*parent, JobState::finished, ready);
  }
  ready += common(waiting(child), child.elements->freed);
  ready -= eligible;
  return ready;
}

void check_runs(const Schedule& schedule, std::vector<std::string>& wrong) {
  const std::string name = "schedule " + schedule.spec.name + ": ";
  std::uint32_t before = 0;
  for (const ScheduleRun& run : schedule.runs) {
    if (run.number <= before || run.number > schedule.run_last) {
      wrong.push_back(name + "numbers of runs do not ascend");
    }
    before = run.number;
    if ((run.state == JobState::running) == run.ended.has_value()) {
      wrong.push_back(name + "run " + std::to_string(run.number) +
                      ": its state and the time of its end disagree");
    }
    if (run.occurrence && *run.occurrence >= schedule.due_first) {
      wrong.push_back(name + "an occurrence is run and still due");
    }
  }
  if (schedule.next && schedule.due_first > schedule.next->index) {
    wrong.push_back(name + "an occurrence that is not yet due was decided");
  }
  for (const MissedOccurrences& missed : schedule.missed) {
    if (missed.first > missed.last || missed.last >= schedule.due_first || missed.reason.empty()) {
      wrong.push_back(name + "an occurrence is missed that was not decided, or without a reason");
    }
  }
}

}  // namespace

/// Indices of schedules are complete, and no run goes on whose jobs are all over.
void BatchCore::check_schedules(std::vector<std::string>& wrong) const {
  std::size_t wakes = 0;
  std::size_t children = 0;
  for (const auto& [name, schedule] : schedules_) {
    check_runs(schedule, wrong);
    const std::string label = "schedule " + name + ": ";
    if (name != schedule.spec.name) wrong.push_back(label + "is listed under another name");
    if (const auto wake = wake_of(schedule)) {
      ++wakes;
      if (schedule_wakes_.count({*wake, name}) == 0) wrong.push_back(label + "would oversleep");
    }
    for (const ParentSpec& parent : schedule.spec.parents) {
      ++children;
      if (schedule_children_.count({parent.schedule, name}) == 0) {
        wrong.push_back(label + "is lost by its parent");
      }
    }
    for (const ScheduleRun& run : schedule.runs) {
      const bool over = std::all_of(run.jobs.begin(), run.jobs.end(), [&](JobId id) {
        const Job* job = find(id);
        return job == nullptr || is_terminal(job->state);
      });
      if (resumed_ && ending_runs_.empty() && over && run.state == JobState::running) {
        wrong.push_back(label + "run " + std::to_string(run.number) + " outlives its jobs");
      }
    }
  }
  if (wakes != schedule_wakes_.size()) wrong.push_back("wakes of schedules that do not exist");
  if (children != schedule_children_.size()) {
    wrong.push_back("children of schedules that do not exist");
  }
}

bool BatchCore::attempts_indexed(const ElementId& id, const Execution& one) const {
  return with_live_attempts_.count(id) == (live_attempts(one) > 0 ? 1u : 0u);
}

std::vector<std::string> BatchCore::check_invariants() const {
  std::vector<std::string> wrong;
  std::size_t over = 0;
  std::size_t ready = 0;
  std::map<std::string_view, JobId> live_names;
  for (const auto& [id, job] : jobs_) {
    const std::string name = text::job(job) + ": ";
    if (id != job.id || id > job_id_last_) wrong.push_back(name + "wrong id");
    if (names_.count({job.spec.name, id}) == 0) wrong.push_back(name + "is not found by name");
    bool indexed = true;
    if (job.elements) {
      check_elements(job, wrong);
      for (const auto& [index, one] : job.elements->launched) {
        indexed = indexed && attempts_indexed({id, index}, one);
      }
    } else {
      check_execution(name, job, job, wrong);
      indexed = attempts_indexed({id, std::nullopt}, job);
    }
    if (!indexed) wrong.push_back(name + "the index of live attempts is wrong");
    if (is_terminal(job.state)) {
      ++over;
      if (ended_.count({*job.ended, id}) == 0) wrong.push_back(name + "not in the order of ends");
      continue;
    }
    if (!live_names.emplace(job.spec.name, id).second) {
      wrong.push_back(name + "another live job has its name");
    }
    for (const Edge& edge : job.edges) {
      if (children_.count({edge.parent, id}) == 0) wrong.push_back(name + "lost by its parent");
      if (resumed_ && settling_.empty() && judge_edge(edge, find(edge.parent)) != edge.state) {
        wrong.push_back(name + "an edge lags behind its parent");
      }
    }
    const auto eligible = eligible_.find(id);
    if (eligible != eligible_.end() && settling_.empty() &&
        !overlooked(*this, job, eligible->second).empty()) {
      wrong.push_back(name + "an element lags behind its parents");
    }
    const bool may_start = resumed_ && can_start(job);
    if (resumed_ && may_start != ready_.contains(job)) {
      wrong.push_back(name + (may_start ? "could start and is not in the queue"
                                        : "is in the queue and cannot start"));
    }
    if (may_start) ++ready;
  }
  if (over != ended_.size()) wrong.push_back("the order of ends has jobs that are not ended");
  if (resumed_ && ready != ready_.size()) wrong.push_back("the queue has jobs that do not exist");
  if (names_.size() != jobs_.size()) wrong.push_back("names of jobs that do not exist");
  check_schedules(wrong);
  return wrong;
}

}  // namespace batch
