// Jobs as values: what is submitted, what became of it, and how its parts are named.
#pragma once

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

struct Job {
  JobId id = 0;
  JobSpec spec;
  std::vector<Edge> edges;
  std::optional<ScheduleRef> schedule;  ///< that started it
  JobState state = JobState::pending;
  std::string reason;  ///< why it is in this state, where there is something to say
  bool cancel_requested = false;
  std::uint32_t run = 1;       ///< counted up by requeue and retry
  std::uint32_t failures = 0;  ///< attempts of this run that failed and counted
  librm::WallTime submitted;
  std::optional<librm::WallTime> started;  ///< of the first attempt that ran
  std::optional<librm::WallTime> ended;
  std::optional<librm::WallTime> not_before;  ///< of a delayed retry
  std::optional<std::int32_t> exit_code;
  std::optional<std::int32_t> signal;
  std::vector<Attempt> attempts;  ///< oldest first, the last few; the last may be live
  bool operator==(const Job&) const = default;
};

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
