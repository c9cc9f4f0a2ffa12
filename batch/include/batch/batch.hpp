// The batch front end: decides which job runs when, as a framework like any other.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "batch/detail/ready_queue.hpp"
#include "batch/detail/timer_queue.hpp"
#include "batch/job.hpp"
#include "batch/patterns.hpp"
#include "batch/record.hpp"
#include "batch/schedule/schedule.hpp"
#include "batch/schedule/time_zones.hpp"
#include "librm/base/result.hpp"
#include "librm/base/time.hpp"
#include "librm/base/trace.hpp"
#include "librm/cluster/core.hpp"
#include "librm/cluster/framework.hpp"

namespace batch {

// --- what can happen ---

/// All or nothing: one wrong job refuses all of them, and nothing is stored.
struct SubmitJobs {
  std::uint64_t request = 0;  ///< names the answer
  std::vector<JobSpec> jobs;  ///< may depend on each other by name
  std::string idempotency_key;
  bool dry_run = false;  ///< validated, not stored
};

/// A person's word on a job.
struct ControlJob {
  std::uint64_t request = 0;
  JobAction action = JobAction::cancel;
  JobId job = 0;
  std::string reason;
  librm::Ranges elements = {};  ///< of an array: those that are meant; empty: all
};

/// A new schedule, or with `replace` another specification for one that may be there.
struct AddSchedule {
  std::uint64_t request = 0;
  ScheduleSpec spec;
  bool replace = false;
  bool dry_run = false;  ///< validated, not stored
};

enum class ScheduleAction : std::uint8_t {
  pause,
  resume,   ///< occurrences that fell due meanwhile are missed
  trigger,  ///< starts a run now, whatever its overlap policy says
  remove,   ///< its runs go on
  succeed,  ///< counts as a run that finished: its children start
};

/// What becomes of the children of a schedule that is removed.
enum class OnRemove : std::uint8_t {
  refuse,   ///< it is not removed while there are any
  inherit,  ///< they get its expression, or its parents, in its place
  remove,   ///< they are removed, too
};

struct ControlSchedule {
  std::uint64_t request = 0;
  ScheduleAction action = ScheduleAction::trigger;
  std::string schedule;
  std::string arguments;  ///< of trigger: appended to the command of its only job
  OnRemove children = OnRemove::refuse;
};

/// From the session with the master.
struct SessionEvent {
  librm::FrameworkEvent event;
};

/// What the largest agents have, for refusing what fits nowhere. Given by who hosts the core
/// whenever agents come, go or change.
struct ClusterShape {
  struct Node {
    librm::AgentId agent;
    std::string hostname;
    librm::Attributes attributes;
    librm::Resources total;
    bool reachable = true;
    bool silent = false;              ///< for longer than its lease; may be unreachable soon
    bool down = false;                ///< by an operator
    std::string out_of_service = {};  ///< `agent is draining`; empty: it is offered
    std::optional<librm::WallTime> available_until = {};  ///< when planned maintenance begins
    bool operator==(const Node&) const = default;
  };
  std::vector<Node> nodes;
  bool operator==(const ClusterShape&) const = default;
};

/// Why nothing that is out of reach is started anew: of the agents that are not down, more than
/// `percent`, and at least three, are unreachable or about to be. Then it is rather the network, or
/// the master itself, than they; what they run is likely to run on. Empty: it is.
std::optional<std::string> pause_of_rescheduling(const ClusterShape& shape, std::uint32_t percent);

using BatchEvent = std::variant<librm::Tick, SubmitJobs, ControlJob, AddSchedule, ControlSchedule,
                                SessionEvent, ClusterShape, librm::StorageLow>;

// --- what is wanted done ---

/// An error, and the field at fault as a JSON pointer into the request, where there is one:
/// `/jobs/0/role` of a submission, `/epsilon` and `/jobs/0/role` of a schedule.
struct Refusal : librm::Error {
  std::string path;
};
template <class T>
using Checked = tl::expected<T, Refusal>;

struct SubmitAnswer {
  std::uint64_t request = 0;
  /// Ids in the order of the request, none for a dry run; the error names the job and field.
  Checked<std::vector<JobId>> jobs;
  bool repeated = false;  ///< answered from the idempotency key
};

/// Of ControlJob.
struct ControlAnswer {
  std::uint64_t request = 0;
  librm::Result<void> result;
};

/// Of AddSchedule and ControlSchedule.
struct ScheduleAnswer {
  std::uint64_t request = 0;
  Checked<std::uint32_t> run;  ///< that was triggered, else 0
};

/// A job, or an element of an array, changed: for event streams. Durable like every output. What
/// elements do together, such as being cancelled, is told as a change of the whole alone.
struct JobChanged {
  JobId job = 0;
  std::optional<std::uint32_t> index;
  JobState state = JobState::pending;
  std::string reason;
  std::uint32_t attempt = 0;
  librm::TaskState task_state = librm::TaskState::unknown;
};

/// A schedule was added, changed or removed, or a run of it began or ended.
struct ScheduleChanged {
  std::string schedule;
};

/// To the master (connect, send, close).
struct SessionOutput {
  librm::FrameworkOutput output;
};

using BatchOutput = std::variant<SubmitAnswer, ControlAnswer, ScheduleAnswer, JobChanged,
                                 ScheduleChanged, SessionOutput>;
using BatchActions = librm::ActionList<BatchRecord, BatchOutput>;

struct BatchOptions {
  librm::FrameworkInfo framework;  ///< name `batch`, long failover timeout
  /// Live ones, each element of an array counted as one; a submission beyond is refused.
  std::uint32_t jobs_max = 1'000'000;
  /// Kept after their end, oldest forgotten first; elements count.
  std::uint32_t ended_jobs_max = 100'000;
  librm::Duration refuse_for = librm::seconds(3600);  ///< of offers that serve no waiting job
  librm::Duration dropped_retry_delay = librm::milliseconds(100);
  std::uint32_t dependency_max = 1000;  ///< per job
  /// While more of the agents are unreachable, what they ran is not started anew. 0..100.
  std::uint32_t pause_percent = 50;
  std::uint32_t schedules_max = 10'000;
  const TimeZones* zones = &utc_only();       ///< outlives the core
  const Patterns* patterns = &no_patterns();  ///< outlives the core
};

/// Why a job waits, from job to dependency to quota to node, with the amounts.
struct Why {
  JobId job = 0;
  std::optional<std::uint32_t> index;  ///< of an array's element, where that was asked for
  JobState state = JobState::pending;
  std::string summary;               ///< one line
  std::vector<std::string> details;  ///< one line each, most important first
  struct Node {
    librm::AgentId agent;
    std::string hostname;
    bool fits = false;
    std::string reason;
  };
  std::vector<Node> nodes;  ///< empty where resources are not what it waits for
};

/// The brain of the batch front end. Runs inside `rm-master` (see cluster_core.hpp), alone or
/// embedded. Pure, deterministic, not thread-safe, as all cores.
class BatchCore {
 public:
  using Event = BatchEvent;
  using Record = BatchRecord;
  using Output = BatchOutput;
  using Actions = BatchActions;

  explicit BatchCore(BatchOptions options, librm::TraceSink* trace = nullptr);

  void step(librm::Now now, const BatchEvent& event, BatchActions& out);
  /// Matches waiting jobs with held offers: launches what fits, declines what serves nobody.
  void flush(librm::Now now, BatchActions& out);
  librm::Deadline next_deadline() const;
  void apply(const BatchRecord& record);
  void resume(librm::Now now, BatchActions& out);
  std::vector<BatchRecord> snapshot() const;
  std::vector<std::string> check_invariants() const;

  // --- views, valid until the next call ---

  const std::map<JobId, Job>& jobs() const { return jobs_; }
  const Job* find(JobId id) const;
  /// The live job of that name, else the latest ended one.
  const Job* find(std::string_view name) const;
  using Schedules = std::map<std::string, Schedule, std::less<>>;
  const Schedules& schedules() const { return schedules_; }
  /// The next `count` occurrences that are not yet due.
  std::vector<librm::WallTime> upcoming(const Schedule& schedule, std::size_t count) const;
  const TimeZones& zones() const { return *options_.zones; }
  std::optional<librm::FrameworkId> framework() const;
  /// See pause_of_rescheduling(); by the last ClusterShape.
  const std::optional<std::string>& rescheduling_pause() const { return rescheduling_pause_; }
  /// The highest that was given.
  JobId last_job_id() const { return job_id_last_; }
  /// `now` dates retries; agents come from the last ClusterShape and the offers held.
  Why why(const Job& job, librm::Now now) const;
  /// Of one element of an array; precondition: it has that index.
  Why why(const Job& job, std::uint32_t index, librm::Now now) const;

 private:
  struct TimerKey {
    enum class Kind : std::uint8_t { retry, fence, rerun };  // the last is no timer's
    Kind kind = Kind::retry;
    ElementId element;
    std::uint32_t attempt = 0;  ///< not of a retry
    auto operator<=>(const TimerKey&) const = default;
  };
  /// A job, or an element of an array that was launched.
  struct Element {
    Job& job;
    Execution& execution;  ///< of a job that is no array, the job itself
    std::optional<std::uint32_t> index;
    ElementId id() const { return {job.id, index}; }
    librm::TaskId task(const Attempt& attempt) const {
      return task_id({job.id, index, attempt.run, attempt.attempt});
    }
  };
  class Startable;   ///< what of a job could be launched now
  struct Bin;        ///< the offers of one agent and role, and what is launched there
  struct NodeUsage;  ///< what why() knows of an agent

  void resume_job(librm::Now now, Job& job);

  // batch_apply.cpp: records into state
  void apply_one(const FrameworkIdRecord& record);
  void apply_one(const JobsRecord& record);
  void apply_one(const LaunchRecord& record);
  void apply_one(const JobChangeRecord& record);
  void apply_one(const EdgeRecord& record);
  void apply_one(const JobRemovedRecord& record);
  void apply_one(const SubmissionKeyRecord& record);
  void apply_one(const JobIdRecord& record);
  void apply_one(const ScheduleRecord& record);
  void apply_one(const ScheduleRunRecord& record);
  void apply_one(const ScheduleChangeRecord& record);
  void apply_one(const ScheduleRemovedRecord& record);
  void apply_one(const ElementActionRecord& record);
  void apply_one(const ElementsRecord& record);
  void apply_one(const ElementsFreedRecord& record);
  std::optional<Element> find_element(const ElementId& id);
  template <class Change>
  void alter(const ElementId& id, Change change);
  void put_job(const Job& job);
  void index_schedule(const Schedule& schedule);
  void unindex_schedule(const Schedule& schedule);
  void put_run(Schedule& schedule, const ScheduleRun& run);
  void index_job(const Job& job);
  void unindex_job(const Job& job);
  void remember_key(const std::string& key, std::vector<JobId> jobs);
  void index_attempts(const ElementId& id, const Execution& execution);
  Execution durable_form(const ElementId& id, Execution execution) const;
  void snapshot_job(const Job& job, std::vector<BatchRecord>& records) const;
  void persist(BatchRecord record, BatchActions& out);

  // batch_submit.cpp
  Checked<std::vector<JobId>> submit(librm::Now now, const SubmitJobs& request, bool& repeated,
                                     BatchActions& out);
  Checked<std::vector<Job>> prepare(librm::Now now, const SubmitJobs& request) const;
  void welcome(librm::Now now, const std::vector<JobId>& ids, BatchActions& out);
  Checked<std::vector<JobId>> repeat_submission(const std::vector<JobId>& known,
                                                const SubmitJobs& request) const;
  Checked<void> check_submission(const SubmitJobs& request,
                                 const std::vector<JobSpec>& specs) const;
  librm::Result<std::vector<Edge>> resolve(
      const std::vector<JobSpec>& specs, const JobSpec& spec,
      const std::map<std::string_view, std::size_t>& by_name) const;
  librm::Result<void> check_size(const JobSpec& spec) const;
  std::string free_name(JobId id) const;

  // batch_update.cpp: what becomes of attempts
  void on_update(librm::Now now, const librm::StatusUpdate& update, BatchActions& out);
  void on_progress(librm::Now now, const Element& element, Attempt& attempt,
                   const librm::StatusUpdate& update, BatchActions& out);
  void on_started(const Element& element, librm::WallTime started);
  void on_end(librm::Now now, const Element& element, Attempt attempt, BatchActions& out);
  bool forgotten_since_restore(const Attempt& attempt, const librm::StatusUpdate& update) const;
  void kill_stray(librm::Now now, const librm::StatusUpdate& update, BatchActions& out);
  void decide(librm::Now now, const Element& element, Attempt& attempt,
              JobChangeRecord& change) const;
  void again(librm::Now now, const Execution& execution, const Attempt& attempt,
             JobChangeRecord& change) const;
  void kill_attempts(librm::Now now, const Element& element, const Attempt* except,
                     BatchActions& out);

  // batch_reschedule.cpp: what may start anew while its agent is unreachable
  void on_unreachable(librm::Now now, const Element& element, const Attempt& attempt,
                      BatchActions& out);
  void forget_reschedule(const ElementId& id, std::uint32_t attempt);
  void on_shape(const ClusterShape& shape);
  void reschedule(librm::Now now, BatchActions& out);
  void rerun(librm::Now now, const Element& element, const Attempt& attempt, BatchActions& out);
  void end_fenced(librm::Now now, const Element& element, const Attempt& attempt,
                  BatchActions& out);

  // batch_change.cpp: changes of a job's state and what follows
  void change(librm::Now now, JobChangeRecord record, BatchActions& out);
  void follow_change(librm::Now now, const Element& element, bool was_over, BatchActions& out);
  void announce(const ElementId& id, const Execution& execution, BatchActions& out) const;
  void refresh(const Job& job);
  void refresh(const Element& element);
  bool can_start(const Job& job) const;
  bool waits_for_retry(const ElementId& id) const;

  // batch_control.cpp: what people ask for
  void on_control(librm::Now now, const ControlJob& request, BatchActions& out);
  librm::Result<void> control(librm::Now now, Job& job, const ControlJob& request,
                              BatchActions& out);
  librm::Result<void> control_elements(librm::Now now, Job& job, const ControlJob& request,
                                       BatchActions& out);
  librm::Result<std::vector<EdgeRecord>> edges_before(const Job& job, JobAction action) const;
  librm::Result<void> may_retry(const Job& job) const;
  void free_elements(const Job& job, const librm::Ranges& released, BatchActions& out);
  void act(librm::Now now, Job& job, JobAction action, std::string reason, BatchActions& out);
  void act(librm::Now now, Job& job, JobAction action, const librm::Ranges& indices,
           std::string reason, BatchActions& out);

  // batch_schedules.cpp: what a schedule does as time passes and runs end
  void resume_schedules(librm::Now now, BatchActions& out);
  void on_schedules(librm::Now now, BatchActions& out);
  void run_due(librm::Now now, const std::string& name, BatchActions& out);
  bool miss_late(librm::Now now, const Schedule& schedule, const Occurrences& series,
                 ScheduleChangeRecord& record) const;
  void start_due(librm::Now now, const std::string& name, const Occurrences& series,
                 BatchActions& out);
  void start_after_parents(librm::Now now, const std::string& name, BatchActions& out);
  bool may_start(librm::Now now, const Schedule& schedule, BatchActions& out);
  Checked<std::uint32_t> start_run(librm::Now now, const std::string& name, ScheduleRun run,
                                   const std::string& arguments, ScheduleRunRecord record,
                                   BatchActions& out);
  std::vector<JobSpec> run_jobs(const Schedule& schedule, std::uint32_t run,
                                const std::string& arguments) const;
  void settle_runs(librm::Now now, BatchActions& out);
  void settle_run(librm::Now now, const ScheduleRef& ref, BatchActions& out);
  std::optional<librm::WallTime> wake_of(const Schedule& schedule) const;
  Occurrences occurrences_of(const Schedule& schedule) const;

  // batch_schedule_control.cpp: schedules added, changed and removed
  Checked<void> add_schedule(librm::Now now, const AddSchedule& request, BatchActions& out);
  librm::Result<void> check_schedule(librm::Now now, ScheduleSpec& spec) const;
  static Checked<void> check_schedule_jobs(const ScheduleSpec& spec);
  librm::Result<void> check_parents(const ScheduleSpec& spec) const;
  Checked<std::uint32_t> control_schedule(librm::Now now, const ControlSchedule& request,
                                          BatchActions& out);
  librm::Result<void> remove_schedule(librm::Now now, const std::string& name, OnRemove children,
                                      BatchActions& out);
  void inherit(librm::Now now, const Schedule& removed, const std::string& child,
               BatchActions& out);
  ScheduleChangeRecord change_of(const Schedule& schedule) const;
  void changed(const std::string& schedule, BatchActions& out) const;

  // batch_edges.cpp
  void settle_edges(librm::Now now, BatchActions& out);
  void settle_children(librm::Now now, const ElementId& parent, BatchActions& out);
  void settle_job(librm::Now now, Job& job, BatchActions& out);
  void begin_corresponding(librm::Now now, Job& job, BatchActions& out);
  void settle_corresponding(librm::Now now, Job& child, const librm::Ranges& indices,
                            BatchActions& out);

  // batch_session.cpp: the session with the master
  void session_step(librm::Now now, const librm::FrameworkEvent& event, BatchActions& out);
  void on_session(librm::Now now, librm::FrameworkActions& actions, BatchActions& out);
  void call(librm::Now now, librm::Message message, BatchActions& out);
  void on_timers(librm::Now now);
  void trace(std::string_view subject, const std::string& fact) const;

  // batch_schedule.cpp: the pipeline of flush()
  void answer_inverse_offers(librm::Now now, BatchActions& out);
  std::string reason_to_stay(const Job& job, const Attempt& attempt,
                             const librm::InverseOfferInfo& offer) const;
  void ask_for_strays(librm::Now now, BatchActions& out);
  void send_acks(librm::Now now, BatchActions& out);
  void match_offers(librm::Now now, BatchActions& out);
  std::vector<Bin> gather_bins(librm::Now now) const;
  LaunchRecord fill(librm::Now now, std::vector<Bin>& bins, std::vector<JobId>& unfit);
  LaunchRecord::Launch plan_launch(librm::Now now, const Job& job,
                                   std::optional<std::uint32_t> index, Bin& bin) const;
  void answer_offers(librm::Now now, std::vector<Bin>& bins, const std::vector<JobId>& unfit,
                     BatchActions& out);
  std::string refusal(const Bin& bin, const std::vector<JobId>& unfit) const;
  void ask_for_offers(librm::Now now, BatchActions& out);
  void forget_ended(BatchActions& out);
  bool in_live_run(JobId id) const;

  // batch_invariants.cpp
  void check_schedules(std::vector<std::string>& wrong) const;
  bool attempts_indexed(const ElementId& id, const Execution& one) const;

  // batch_why.cpp
  Why why(const Job& job, const ElementId& id, const Execution& execution, librm::Now now) const;
  void explain_waiting(const Job& job, const ElementId& id, const Execution& execution,
                       librm::Now now, Why& why) const;
  bool may_start_beside(const Job& job, const ElementId& id, const Edge& edge) const;
  void explain_nodes(const Job& job, librm::Now now, Why& why) const;
  std::vector<NodeUsage> node_usage() const;

  BatchOptions options_;
  librm::TraceSink* trace_;

  // Durable.
  std::optional<librm::FrameworkId> framework_;
  std::map<JobId, Job> jobs_;
  JobId job_id_last_ = 0;
  std::uint32_t attempts_before_ = 0;  ///< of the last restore from a backup; 0: there was none
  std::map<std::string, std::vector<JobId>, std::less<>> keys_;  ///< idempotency keys
  std::deque<std::string> keys_by_age_;
  Schedules schedules_;

  // Follows from the durable state.
  std::set<std::pair<std::string, JobId>> names_;  ///< the highest id of a name is its live job
  std::set<std::pair<JobId, JobId>> children_;     ///< parent, live child
  std::set<std::pair<librm::WallTime, JobId>> ended_;
  std::set<ElementId> with_live_attempts_;
  std::uint64_t live_size_ = 0;   ///< jobs and elements of jobs that are not over
  std::uint64_t ended_size_ = 0;  ///< of those that are
  std::set<std::pair<std::string, std::string>> schedule_children_;  ///< parent, child
  std::set<std::pair<librm::WallTime, std::string>> schedule_wakes_;

  // Of this process only.
  bool resumed_ = false;
  bool storage_low_ = false;
  librm::Instant ask_for_strays_at_;  ///< after a restore
  librm::Duration stray_interval_;    ///< between the last question and the next
  bool agents_came_ = false;          ///< one became reachable since the last question
  librm::FrameworkCore session_;
  std::string session_refusal_;  ///< the master's last fatal word
  ClusterShape shape_;
  std::set<ElementId> started_in_memory_;  ///< their `started` is known from an update only
  std::deque<ElementId> settling_;         ///< children of these may have become ready
  std::deque<ScheduleRef> ending_runs_;    ///< a job of these has ended
  std::vector<librm::InverseOfferInfo> inverse_offers_;  ///< answered by flush()
  std::vector<librm::UpdateAck> acks_;
  detail::TimerQueue<TimerKey> timers_;
  std::set<TimerKey> to_reschedule_;  ///< looked at by flush()
  std::set<TimerKey> paused_;         ///< until rescheduling goes on
  std::optional<std::string> rescheduling_pause_;
  detail::ReadyQueue ready_;
  std::map<JobId, std::set<std::uint32_t>> retriable_;  ///< launched elements that could start now
  std::map<JobId, librm::Ranges> eligible_;  ///< of arrays with after_corr: their parents allow it
  bool suppressed_ = false;                  ///< the master was told to make no offers
  bool offers_refused_ = false;  ///< filters may hide agents from what becomes ready now
  bool revive_ = false;          ///< something became ready that those filters do not know
};

}  // namespace batch
