// BatchCore's frame: construction, events, recovery, views.
#include "batch/batch.hpp"

#include <limits>
#include <utility>

#include "librm/base/check.hpp"

namespace batch {

namespace {

librm::FrameworkOptions session_options(const BatchOptions& options) {
  librm::FrameworkOptions session;
  session.info = options.framework;
  return session;
}

}  // namespace

BatchCore::BatchCore(BatchOptions options, librm::TraceSink* trace)
    : options_(std::move(options)), trace_(trace), session_(session_options(options_)) {}

void BatchCore::step(librm::Now now, const BatchEvent& event, BatchActions& out) {
  LIBRM_CHECK(resumed_, "resume() comes before the first step()");
  if (std::holds_alternative<librm::Tick>(event)) {
    session_step(now, librm::Tick{}, out);
    on_timers(now);
    on_schedules(now, out);
  } else if (const auto* request = std::get_if<SubmitJobs>(&event)) {
    SubmitAnswer answer;
    answer.request = request->request;
    answer.jobs = submit(now, *request, answer.repeated, out);
    out.output(std::move(answer));
  } else if (const auto* control = std::get_if<ControlJob>(&event)) {
    on_control(now, *control, out);
  } else if (const auto* schedule = std::get_if<AddSchedule>(&event)) {
    ScheduleAnswer answer{schedule->request, 0u};
    if (auto added = add_schedule(now, *schedule, out); !added) {
      answer.run = tl::unexpected(added.error());
    }
    out.output(std::move(answer));
  } else if (const auto* wish = std::get_if<ControlSchedule>(&event)) {
    out.output(ScheduleAnswer{wish->request, control_schedule(now, *wish, out)});
  } else if (const auto* session = std::get_if<SessionEvent>(&event)) {
    session_step(now, session->event, out);
  } else if (const auto* shape = std::get_if<ClusterShape>(&event)) {
    on_shape(*shape);
  } else if (const auto* storage = std::get_if<librm::StorageLow>(&event)) {
    if (storage_low_ && !storage->low) revive_ = true;
    storage_low_ = storage->low;
    on_schedules(now, out);
  }
  settle_edges(now, out);
  settle_runs(now, out);
}

void BatchCore::flush(librm::Now now, BatchActions& out) {
  send_acks(now, out);
  ask_for_strays(now, out);
  answer_inverse_offers(now, out);
  reschedule(now, out);
  match_offers(now, out);
  settle_edges(now, out);
  settle_runs(now, out);
  ask_for_offers(now, out);
  forget_ended(out);
}

librm::Deadline BatchCore::next_deadline() const {
  librm::Deadline deadline = session_.next_deadline();
  if (const auto first = timers_.first()) deadline.at_latest(*first);
  if (!schedule_wakes_.empty() && !storage_low_) {
    deadline.at_latest(schedule_wakes_.begin()->first);
  }
  return deadline;
}

void BatchCore::resume(librm::Now now, BatchActions& out) {
  LIBRM_CHECK(!resumed_, "resume() comes once");
  resumed_ = true;
  if (framework_) session_.set_framework_id(*framework_);
  for (const ElementId& id : with_live_attempts_) {
    const Element element = *find_element(id);
    for (const Attempt& attempt : element.execution.attempts) {
      if (is_terminal(attempt.latest.state)) continue;
      session_.remember({element.task(attempt), attempt.agent, attempt.incarnation});
    }
  }
  librm::FrameworkActions actions;
  session_.start(now, actions);
  on_session(now, actions, out);

  std::set<JobId> parents;
  std::vector<JobId> live;
  for (auto& [id, job] : jobs_) {
    if (is_terminal(job.state)) continue;
    resume_job(now, job);
    live.push_back(id);
    for (const Edge& edge : job.edges) {
      // A parent's end may have become durable without what followed for its children.
      if (edge.state == EdgeState::pending) parents.insert(edge.parent);
    }
  }
  for (const JobId id : parents) settling_.push_back({id, std::nullopt});
  for (const JobId id : live) begin_corresponding(now, jobs_.at(id), out);
  settle_edges(now, out);
  std::vector<ElementId> unwanted;
  for (const ElementId& id : with_live_attempts_) {
    const Execution& execution = find_element(id)->execution;
    if (execution.cancel_requested || is_terminal(execution.state) ||
        execution.attempts.back().run < execution.run) {
      unwanted.push_back(id);
    }
  }
  for (const ElementId& id : unwanted) kill_attempts(now, *find_element(id), nullptr, out);
  resume_schedules(now, out);
}

/// What follows from its durable state: timers, and its place in the queue.
void BatchCore::resume_job(librm::Now now, Job& job) {
  const auto resume_one = [&](const Element& element) {
    const Execution& execution = element.execution;
    if (execution.state == JobState::pending && execution.not_before) {
      // The wall clock may have been set since: never wait for longer than was asked for at first.
      const librm::Duration left = std::clamp(*execution.not_before - now.wall, librm::Duration{},
                                              std::max(job.spec.retry_delay, librm::seconds(10)));
      timers_.set({TimerKey::Kind::retry, element.id(), 0}, now.mono + left);
    }
    refresh(element);
  };
  if (job.elements) {
    for (auto& [index, execution] : job.elements->launched) {
      if (!is_terminal(execution.state)) resume_one({job, execution, index});
    }
  }
  resume_one({job, job, std::nullopt});
}

const Job* BatchCore::find(JobId id) const {
  auto found = jobs_.find(id);
  return found == jobs_.end() ? nullptr : &found->second;
}

const Job* BatchCore::find(std::string_view name) const {
  auto found = names_.upper_bound({std::string(name), std::numeric_limits<JobId>::max()});
  if (found != names_.begin() && (--found)->first == name) return find(found->second);
  // A schedule of one job: that of its latest run.
  const auto schedule = schedules_.find(name);
  if (schedule == schedules_.end() || schedule->second.spec.jobs.size() != 1) return nullptr;
  const std::vector<ScheduleRun>& runs = schedule->second.runs;
  for (auto run = runs.rbegin(); run != runs.rend(); ++run) {
    if (!run->jobs.empty()) return find(run->jobs.front());
  }
  return nullptr;
}

std::optional<librm::FrameworkId> BatchCore::framework() const { return framework_; }

void BatchCore::trace(std::string_view subject, const std::string& fact) const {
  if (trace_ != nullptr) trace_->trace(subject, fact);
}

}  // namespace batch
