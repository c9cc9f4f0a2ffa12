// Knows what must never happen, and watches everything: starts, records, cores, promises.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "batch/record.hpp"
#include "cluster_node.hpp"
#include "librm/sim/agent_node.hpp"
#include "librm/sim/shepherd.hpp"
#include "librm/sim/workload.hpp"
#include "librm/sim/world.hpp"

namespace rm_sim {

/// It believes three witnesses: the start log of the hosts, the records that became durable, and
/// what clients were told. From these it knows what the cores must agree with.
class Oracle {
 public:
  Oracle(librm::sim::World& world, const librm::sim::TaskLog& log);

  // --- witnesses ---

  void on_change(librm::sim::Node& node);
  void on_commit(const librm::RecordEntry& entry);
  void on_agent_commit(const librm::sim::AgentNode& agent, const librm::RecordEntry& entry);
  void on_start(const librm::sim::TaskTruth& truth);
  void on_end(const librm::sim::TaskTruth& truth);
  void on_acknowledged(const std::string& key, const std::vector<batch::JobId>& jobs);
  /// An agent whose disk is gone begins anew, whatever it had promised.
  void on_wiped(const librm::sim::AgentNode& agent);

  /// What every core says about itself, and replay of every journal: costly, so done now and then.
  void check_all();
  /// When all is over: promises were kept, and results are what really happened.
  void check_end(const ClusterNode& leader);

  /// What happened in this run that is worth counting: shows that the faults reach the corners.
  const std::map<std::string, std::uint64_t>& marks() const { return marks_; }
  void mark(const std::string& what) { ++marks_[what]; }
  bool terminal(batch::JobId job) const;

 private:
  /// A job, or an element of an array, as its records say.
  struct KnownElement {
    batch::JobState state = batch::JobState::pending;
    std::uint32_t run = 1;
    std::optional<librm::WallTime> ended;
    std::optional<std::int32_t> exit_code;
    std::optional<std::int32_t> signal;
    std::map<std::pair<std::uint32_t, std::uint32_t>, batch::Attempt> attempts;  // of all times
  };
  struct KnownSchedule;
  struct KnownJob {
    batch::Job job;  // what was submitted, and its edges
    std::map<std::optional<std::uint32_t>, KnownElement> elements;  // of no index: the job itself
    librm::Ranges freed;  // elements that need not follow those of their parents
    batch::JobState state() const;
  };

  void apply(const librm::AgentServiceRecord& record);
  void apply(const batch::FrameworkIdRecord& record);
  void apply(const batch::JobsRecord& record);
  void apply(const batch::LaunchRecord& record);
  void apply(const batch::JobChangeRecord& record);
  void apply(const batch::EdgeRecord& record);
  void apply(const batch::JobRemovedRecord& record);
  void apply(const batch::SubmissionKeyRecord&) {}
  void apply(const batch::JobIdRecord&) {}
  void apply(const batch::ScheduleRecord& record);
  void apply(const batch::ScheduleRunRecord& record);
  void apply(const batch::ScheduleChangeRecord& record);
  void apply(const batch::ScheduleRemovedRecord& record);
  void apply(const batch::ElementActionRecord& record);
  void apply(const batch::ElementsRecord&) {}
  void apply(const batch::ElementsFreedRecord& record);

  KnownJob* known(batch::JobId job, std::string_view what);
  KnownElement* known(const batch::ElementId& id, std::string_view what);
  void check_run(KnownSchedule& schedule, const batch::ScheduleRun& run);
  void check_missed(KnownSchedule& schedule, const batch::MissedOccurrences& missed);
  void check_attempt(const batch::ElementId& id, const batch::Attempt& attempt);
  void check_launch(const batch::ElementId& id, batch::LostPolicy lost, const KnownElement& element,
                    const batch::Attempt& attempt);
  void check_edges(const KnownJob& known, const batch::TaskName& name);
  void check_corresponding(const KnownJob& known, const batch::ElementId& id);
  bool satisfied(const batch::Edge& edge) const;
  bool was_started(const KnownJob& known) const;
  void check_overlap(const KnownJob& known, const KnownElement& element,
                     const librm::sim::TaskTruth& truth, const batch::TaskName& name);
  void note_clock(const librm::sim::Node& node);
  void on_agent(librm::sim::AgentNode& agent);
  void on_cluster(ClusterNode& node);
  void check_allocator(const ClusterNode& node);
  void check_limits(const ClusterNode& node);
  void check_gangs(const ClusterNode& node);
  void check_offers(const ClusterNode& node);
  void check_promises(const ClusterNode& node);
  void complain(const std::string& who, const std::vector<std::string>& wrong);
  template <class N>
  void check_replay(const N& node);
  const librm::sim::TaskTruth* truth_of(const std::string& task) const;

  librm::sim::World& world_;
  const librm::sim::TaskLog& log_;
  std::optional<librm::FrameworkId> framework_;
  std::map<batch::JobId, KnownJob> jobs_;
  struct KnownSchedule {
    batch::ScheduleSpec spec;
    std::uint64_t decided = 0;        ///< occurrences below this were run or missed
    std::set<std::uint32_t> running;  ///< its runs that have not ended
  };
  std::map<std::string, KnownSchedule> schedules_;
  std::map<std::string, std::vector<batch::JobId>> promised_;
  std::map<librm::AgentId, librm::AgentService> services_;  ///< other than normal
  /// What may put a role above its limit: another leader, another quota, what agents say they run,
  /// what is reserved.
  struct Causes {
    const ClusterNode* node = nullptr;
    std::uint64_t life = 0;
    std::map<std::string, librm::Quota> quotas;
    std::map<librm::AgentId, std::pair<std::uint64_t, bool>> sessions;
    std::map<librm::AgentId, std::string> made;
    bool operator==(const Causes&) const = default;
  };
  Causes causes_;
  std::map<std::pair<std::string, std::string>, std::int64_t> over_limit_;  ///< thousandths
  std::map<std::string, const librm::sim::WorkloadNode*> workloads_;
  std::set<std::pair<librm::FrameworkId, std::uint32_t>> gangs_;  ///< that were launched
  std::map<const librm::sim::AgentNode*, librm::Epoch> epochs_;
  std::map<const librm::sim::Node*, std::uint64_t> lives_;
  std::map<std::string, std::uint64_t> marks_;
  std::uint64_t changes_ = 0;
  librm::WallTime wall_highest_;  ///< that any host's clock has shown
};

}  // namespace rm_sim
