// What must hold after every step, said in words where it does not.
#include <algorithm>
#include <string>
#include <vector>

#include "batch/batch.hpp"
#include "edges.hpp"
#include "text.hpp"

namespace batch {

namespace {

std::size_t live_attempts(const Job& job) {
  return static_cast<std::size_t>(
      std::count_if(job.attempts.begin(), job.attempts.end(),
                    [](const Attempt& a) { return !is_terminal(a.latest.state); }));
}

void check_attempts(const Job& job, std::vector<std::string>& wrong) {
  const std::string name = text::job(job) + ": ";
  for (std::size_t i = 1; i < job.attempts.size(); ++i) {
    const Attempt& before = job.attempts[i - 1];
    const Attempt& after = job.attempts[i];
    if (std::pair(before.run, before.attempt) >= std::pair(after.run, after.attempt)) {
      wrong.push_back(name + "attempt numbers do not ascend");
    }
  }
  const std::size_t live = live_attempts(job);
  if (live > 1 && job.spec.lost != LostPolicy::rerun) {
    wrong.push_back(name + std::to_string(live) + " live attempts, its policy is '" +
                    to_string(job.spec.lost) + "'");
  }
  if (job.state == JobState::running && live == 0) {
    wrong.push_back(name + "runs without a live attempt");
  }
  if (live > 0 && (job.state == JobState::pending || job.state == JobState::held) &&
      job.spec.lost != LostPolicy::rerun) {
    wrong.push_back(name + "waits with a live attempt");
  }
}

void check_state(const Job& job, std::vector<std::string>& wrong) {
  const std::string name = text::job(job) + ": ";
  if (!job.attempts.empty() && edges_block(job)) {
    wrong.push_back(name + "was started before its dependencies were satisfied");
  }
  if (is_terminal(job.state) != job.ended.has_value()) {
    wrong.push_back(name + "its state and the time of its end disagree");
  }
  if (job.failures > job.spec.retries + 1) {
    wrong.push_back(name + std::to_string(job.failures) + " failures, " +
                    std::to_string(job.spec.retries) + " retries");
  }
}

}  // namespace

std::vector<std::string> BatchCore::check_invariants() const {
  std::vector<std::string> wrong;
  std::size_t over = 0;
  std::size_t ready = 0;
  std::map<std::string_view, JobId> live_names;
  for (const auto& [id, job] : jobs_) {
    const std::string name = text::job(job) + ": ";
    if (id != job.id || id > job_id_last_) wrong.push_back(name + "wrong id");
    if (names_.count({job.spec.name, id}) == 0) wrong.push_back(name + "is not found by name");
    check_attempts(job, wrong);
    check_state(job, wrong);
    if (with_live_attempts_.count(id) != (live_attempts(job) > 0 ? 1u : 0u)) {
      wrong.push_back(name + "the index of live attempts is wrong");
    }
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
    const bool may_start = job.state == JobState::pending && !edges_block(job) &&
                           !timers_.find({TimerKey::Kind::retry, id, 0});
    if (resumed_ && may_start != ready_.contains(job)) {
      wrong.push_back(name + (may_start ? "could start and is not in the queue"
                                        : "is in the queue and cannot start"));
    }
    if (may_start) ++ready;
  }
  if (over != ended_.size()) wrong.push_back("the order of ends has jobs that are not ended");
  if (resumed_ && ready != ready_.size()) wrong.push_back("the queue has jobs that do not exist");
  if (names_.size() != jobs_.size()) wrong.push_back("names of jobs that do not exist");
  return wrong;
}

}  // namespace batch
