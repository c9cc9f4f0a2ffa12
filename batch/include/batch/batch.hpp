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

#include "batch/job.hpp"
#include "batch/record.hpp"
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
  bool dry_run = false;       ///< validated, not stored
};

struct CancelJob {
  std::uint64_t request = 0;
  JobId job = 0;
  std::string reason;
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
    bool operator==(const Node&) const = default;
  };
  std::vector<Node> nodes;
  bool operator==(const ClusterShape&) const = default;
};

using BatchEvent =
    std::variant<librm::Tick, SubmitJobs, CancelJob, SessionEvent, ClusterShape, librm::StorageLow>;

// --- what is wanted done ---

struct SubmitAnswer {
  std::uint64_t request = 0;
  /// Ids in the order of the request; the error names the job and field.
  librm::Result<std::vector<JobId>> jobs;
  bool repeated = false;  ///< answered from the idempotency key
};

struct CancelAnswer {
  std::uint64_t request = 0;
  librm::Result<void> result;
};

/// A job changed: for event streams. Durable like every output.
struct JobChanged {
  JobId job = 0;
  JobState state = JobState::pending;
  std::string reason;
  std::uint32_t attempt = 0;
  librm::TaskState task_state = librm::TaskState::unknown;
};

/// To the master (connect, send, close).
struct SessionOutput {
  librm::FrameworkOutput output;
};

using BatchOutput = std::variant<SubmitAnswer, CancelAnswer, JobChanged, SessionOutput>;
using BatchActions = librm::ActionList<BatchRecord, BatchOutput>;

struct BatchOptions {
  librm::FrameworkInfo framework;        ///< name `batch`, long failover timeout
  std::uint32_t jobs_max = 1'000'000;    ///< live ones; a submission beyond is refused
  std::uint32_t ended_jobs_max = 100'000;  ///< kept after their end, oldest forgotten first
  librm::Duration refuse_for = librm::seconds(3600);  ///< of offers that serve no waiting job
  librm::Duration dropped_retry_delay = librm::milliseconds(100);
  std::uint32_t dependency_max = 1000;   ///< per job
};

/// Why a job waits, from job to dependency to quota to node, with the amounts.
struct Why {
  JobId job = 0;
  JobState state = JobState::pending;
  std::string summary;                ///< one line
  std::vector<std::string> details;   ///< one line each, most important first
  struct Node {
    librm::AgentId agent;
    std::string hostname;
    bool fits = false;
    std::string reason;
  };
  std::vector<Node> nodes;            ///< empty where resources are not what it waits for
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
  std::optional<librm::FrameworkId> framework() const;
  /// `now` dates retries; agents come from the last ClusterShape and the offers held.
  Why why(const Job& job, librm::Now now) const;

 private:
  // (private members are the implementer's)
};

}  // namespace batch
