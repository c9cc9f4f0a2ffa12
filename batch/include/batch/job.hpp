// Jobs as values: what is submitted, what became of it, and how its parts are named.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "librm/base/id.hpp"
#include "librm/base/result.hpp"
#include "librm/base/time.hpp"
#include "librm/cluster/task.hpp"
#include "librm/resource/attributes.hpp"
#include "librm/resource/request.hpp"
#include "librm/resource/resources.hpp"

namespace batch {

/// Counts from 1 and is never reused; printed bare: `42`.
using JobId = std::uint64_t;

/// When a parent's outcome lets its child start.
enum class EdgeKind : std::uint8_t {
  ok = 1,             ///< after_ok: the parent finished
  any = 2,            ///< after_any: it ended, however
  not_ok = 3,         ///< after_notok: it failed or was cancelled
  start = 4,          ///< after_start: it runs
  corresponding = 5,  ///< after_corr: the same element of the parent's array
};
const char* to_string(EdgeKind kind);

enum class EdgeState : std::uint8_t { pending = 1, satisfied = 2, unsatisfiable = 3 };
const char* to_string(EdgeState state);

/// As submitted: the parent by name or id.
struct DependencySpec {
  std::string parent;
  EdgeKind kind = EdgeKind::ok;
  bool operator==(const DependencySpec&) const = default;
};

/// As resolved at submission: bound to a run of the parent, not to its last state.
struct Edge {
  JobId parent = 0;
  std::uint32_t parent_run = 1;
  EdgeKind kind = EdgeKind::ok;
  EdgeState state = EdgeState::pending;
  bool operator==(const Edge&) const = default;
};

/// What is done where a dependency can never be satisfied.
enum class OnDependencyFailed : std::uint8_t { cancel = 1, hold = 2, run = 3 };
const char* to_string(OnDependencyFailed policy);

/// What may happen to a run whose agent is unreachable or whose exit is unknown.
enum class LostPolicy : std::uint8_t {
  wait = 1,   ///< at most once: no new attempt until the old one is known to be over
  fence = 2,  ///< killed at the agent after a bound, then started anew
  rerun = 3,  ///< at least once: may overlap with the lost attempt
};
const char* to_string(LostPolicy policy);

/// An agent's attribute that must, or must not, match a regular expression as a whole. An agent
/// without the attribute matches nothing.
struct PatternConstraint {
  std::string attribute;
  std::string pattern;
  bool negated = false;
  auto operator<=>(const PatternConstraint&) const = default;
};

/// Which variables a task finds in its environment besides `RM_...`.
enum class Dialect : std::uint8_t { rm = 1, chronos = 2 };

/// The run of a schedule that a job belongs to.
struct ScheduleRef {
  std::string schedule;
  std::uint32_t run = 0;
  librm::WallTime nominal;  ///< when it was due, or else was started
  bool operator==(const ScheduleRef&) const = default;
};

inline constexpr std::uint64_t array_index_max = 4'294'967'294;
inline constexpr std::uint64_t array_elements_max = 1'000'000;

/// The same command once for each index; the tasks find theirs in `RM_ARRAY_INDEX`.
struct ArraySpec {
  librm::Ranges indices;           ///< 1..array_elements_max of 0..array_index_max
  std::uint32_t parallel_max = 0;  ///< elements that run at the same time; 0: any number
  bool operator==(const ArraySpec&) const = default;
};

/// What somebody asks for. Defaults are those of every interface.
struct JobSpec {
  std::string name;  ///< empty: `job-<id>`; 1..128 of `[A-Za-z0-9._-]`; one live job per name
  std::string description;
  std::string owner;
  std::string role = std::string(librm::any_role);
  librm::Command command;
  librm::Request request;       ///< cpus 1 and mem 128 MiB where not given
  std::int32_t priority = 0;    ///< higher first
  std::uint32_t retries = 0;    ///< attempts after the first, for failures of its own
  librm::Duration retry_delay;  ///< before each of them
  std::optional<librm::Duration> time_limit;
  librm::Duration kill_grace = librm::seconds(3);
  std::vector<DependencySpec> dependencies;
  OnDependencyFailed on_dependency_failed = OnDependencyFailed::cancel;
  LostPolicy lost = LostPolicy::wait;
  std::optional<librm::Duration> fence_after;
  librm::Attributes constraints;  ///< agent attributes that must be equal
  std::map<std::string, std::string> labels;
  bool hold = false;  ///< submitted, not started until released
  std::vector<PatternConstraint> patterns;
  std::string image;  ///< of a container. Not supported yet: such a job fails at once and says so
  Dialect dialect = Dialect::rm;
  std::optional<ArraySpec> array;
  bool operator==(const JobSpec&) const = default;
};

enum class JobState : std::uint8_t {
  pending = 1,    ///< waits: for dependencies, resources, a retry's delay; `why` says
  held = 2,       ///< waits for a person
  running = 3,    ///< an attempt was launched
  finished = 4,   ///< exit code 0
  failed = 5,     ///< no retries left, or lost
  cancelled = 6,  ///< by a person, or because a dependency cannot be satisfied
};
const char* to_string(JobState state);
constexpr bool is_terminal(JobState state) {
  return state == JobState::finished || state == JobState::failed || state == JobState::cancelled;
}

enum class JobAction : std::uint8_t {
  cancel = 1,   ///< ends it; the reason is kept
  hold = 2,     ///< does not start it until it is released
  release = 3,  ///< the opposite; dependencies that can never be satisfied count as satisfied
  requeue = 4,  ///< kills what runs and starts it anew, as its next run
  retry = 5,    ///< starts what failed or was cancelled anew, as its next run
};
const char* to_string(JobAction action);

/// One attempt of one run; its task id is `job.run.attempt`, or `job_index.run.attempt` for an
/// element of an array.
struct Attempt {
  std::uint32_t run = 1;
  std::uint32_t attempt = 1;
  librm::AgentId agent;
  librm::Incarnation incarnation;
  std::string hostname;
  librm::Resources resources;
  librm::StatusUpdate latest;  ///< its task's last known state
  librm::WallTime launched;
  bool counts = true;  ///< false: an infrastructure failure, consumes no retry
  bool operator==(const Attempt&) const = default;
};

/// What became of a job, or of one element of an array.
struct Execution {
  JobState state = JobState::pending;
  std::string reason;  ///< why it is in this state, where there is something to say
  bool cancel_requested = false;
  std::uint32_t run = 1;                   ///< counted up by requeue and retry
  std::uint32_t failures = 0;              ///< attempts of this run that failed and counted
  std::optional<librm::WallTime> started;  ///< of the first attempt that ran
  std::optional<librm::WallTime> ended;
  std::optional<librm::WallTime> not_before;  ///< of a delayed retry
  std::optional<std::int32_t> exit_code;
  std::optional<std::int32_t> signal;
  std::vector<Attempt> attempts;  ///< oldest first, the last few; the last may be live
  bool operator==(const Execution&) const = default;
};

/// Elements that were never launched and are all the same: pending, held or cancelled.
struct ElementGroup {
  librm::Ranges indices;
  JobState state = JobState::pending;
  std::string reason;
  std::optional<librm::WallTime> ended;
  bool operator==(const ElementGroup&) const = default;
};

/// How many elements are in each state.
class StateCounts {
 public:
  std::uint64_t operator[](JobState state) const { return counts_[place(state)]; }
  void add(JobState state, std::uint64_t n) { counts_[place(state)] += n; }
  void remove(JobState state, std::uint64_t n) { counts_[place(state)] -= n; }
  bool operator==(const StateCounts&) const = default;

 private:
  static std::size_t place(JobState state) { return static_cast<std::size_t>(state); }
  std::array<std::uint64_t, 7> counts_{};
};

/// An array is groups of elements that nothing happened to, and those that were launched.
struct ArrayElements {
  std::vector<ElementGroup> groups;  ///< disjoint, none empty
  std::map<std::uint32_t, Execution> launched;
  std::optional<librm::WallTime> started;  ///< durably known: when the first of them ran
  std::optional<librm::WallTime> ended;    ///< the last time that one of them ended
  StateCounts counts;                      ///< of all; follows from the above
  librm::Ranges freed;  ///< released although the same elements of their parents had failed
  bool operator==(const ArrayElements&) const = default;
};

/// Of an array, what is inherited is the whole: it runs while an element runs, has failed when all
/// are over and one has failed, and has no attempts of its own.
struct Job : Execution {
  JobId id = 0;
  JobSpec spec;
  std::vector<Edge> edges;
  std::optional<ScheduleRef> schedule;  ///< that started it
  librm::WallTime submitted;
  std::optional<ArrayElements> elements;  ///< of an array
  bool operator==(const Job&) const = default;
};

/// A job, or one element of an array: what is launched. Printed `42` or `42_7`.
struct ElementId {
  JobId job = 0;
  std::optional<std::uint32_t> index;
  auto operator<=>(const ElementId&) const = default;
};
std::string to_string(const ElementId& id);

struct TaskName {
  JobId job = 0;
  std::optional<std::uint32_t> index;
  std::uint32_t run = 1;
  std::uint32_t attempt = 1;
  bool operator==(const TaskName&) const = default;
};

/// `42.1.1`, `42_7.1.1`.
librm::TaskId task_id(const TaskName& name);
std::optional<TaskName> parse_task_id(std::string_view id);

}  // namespace batch
