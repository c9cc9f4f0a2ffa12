// The scheduling test that Jepsen made for Chronos: every target of every schedule must be met.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "batch/batch.hpp"
#include "cluster_node.hpp"
#include "election.hpp"
#include "librm/sim/agent_node.hpp"
#include "librm/sim/shepherd.hpp"
#include "librm/sim/world.hpp"
#include "scenario.hpp"

namespace rm_sim {

/// Submits random schedules, and judges them at the end, when most still go on. The k-th target of
/// a schedule begins when the k-th occurrence is due and is as long as epsilon and 5 s; a run of
/// the schedule must start inside it and be completed, another one for each target. Time is true
/// time, or the clock of the leader that launched the run. A target is excused where, and only
/// where,
///  - it began before the schedule was acknowledged,
///  - nobody could lead for long enough in it, or no leader's clock showed it for long enough,
///  - its run was launched in time on an agent that was then out of the leader's reach, and runs
///    at most once,
///  - or an earlier run that was lost like that, or ran by a clock that was stepped, held it back,
///    as the overlap policy says.
class Targets {
 public:
  using Find = std::function<ClusterNode*()>;

  Targets(librm::sim::World& world, const Scenario& scenario, const librm::sim::TaskLog& log,
          const Election& election, Find find_front_end, Find leader);

  void add(const librm::sim::AgentNode& agent) { agents_.push_back(&agent); }
  /// How long a task runs, by its command; empty for others' commands.
  static std::optional<librm::Duration> duration_of(const librm::Command& command);

  void start();
  void receive(const batch::BatchOutput& output);
  void on_commit(const librm::RecordEntry& entry);
  /// Looks who leads by which clock, as it does from time to time: before a clock is stepped.
  void note_view();
  /// Every schedule was acknowledged.
  bool done() const;
  /// Judges the targets that are over, and takes the schedules away.
  void check_end();
  const std::map<std::string, std::uint64_t>& counts() const { return counts_; }
  /// One line each.
  const std::vector<std::string>& excused() const { return excused_; }

 private:
  struct Launch {
    librm::Instant at;
    const ClusterNode* leader = nullptr;
    librm::Duration clock_ahead;  ///< the leader's, of true time
    std::size_t agent = 0;
    std::string task;
  };
  struct Run {
    std::optional<std::uint64_t> occurrence;
    librm::Duration clock_ahead;  ///< of the leader that began it
    std::vector<Launch> launches;
    std::optional<librm::Instant> ended;  ///< when that was on record
    bool used = false;                    ///< by a target
  };
  struct Planned {
    batch::ScheduleSpec spec;
    librm::WallTime first;
    librm::Duration interval;
    std::uint64_t count = 0;
    bool answered = false;
    librm::Instant recorded;
    librm::WallTime acknowledged;  ///< true time
    std::map<std::uint32_t, Run> runs;
  };
  /// What faults leave of the cluster, from this instant on.
  struct View {
    librm::Instant from;
    bool possible = false;                ///< somebody can lead
    const ClusterNode* leader = nullptr;  ///< who does
    librm::Duration clock_ahead;
    std::vector<bool> reached;  ///< agents that run, and hear the leader and are heard by it
    bool operator==(const View&) const = default;
  };

  void draw(Planned& planned);
  void submit(std::size_t index);
  void remove();
  void look();
  librm::WallTime true_time(librm::Instant instant) const;
  librm::Instant instant_of(librm::WallTime time) const;
  void judge(Planned& planned);
  bool meets(const Planned& planned, const Run& run, librm::WallTime target) const;
  std::optional<std::string> excuse(const Planned& planned, std::uint64_t k) const;
  librm::Duration ahead_most(librm::Instant until) const;
  bool lost_in(const Run& run, librm::Instant until) const;
  librm::Duration shown(const Planned& planned, librm::WallTime target,
                        bool on_leaders_clock) const;
  void check_overlap(const Planned& planned);
  static librm::WallTime due(const Planned& planned, std::uint64_t k);
  librm::Duration length(const Planned& planned) const;
  const librm::sim::TaskTruth* truth_of(const std::string& task) const;

  librm::sim::World& world_;
  const Scenario& scenario_;
  const librm::sim::TaskLog& log_;
  const Election& election_;
  Find find_front_end_;
  Find leader_;
  const librm::sim::Host& clock_;  ///< has true time
  std::vector<const librm::sim::AgentNode*> agents_;
  std::vector<Planned> schedules_;
  std::map<std::uint64_t, std::size_t> requests_;
  std::map<batch::JobId, std::pair<std::size_t, std::uint32_t>> jobs_;  ///< schedule and run
  std::optional<librm::FrameworkId> framework_;
  std::vector<View> views_;
  std::uint64_t request_last_ = std::uint64_t{1} << 32;  // apart from the client's
  std::map<std::string, std::uint64_t> counts_;
  std::vector<std::string> excused_;
  bool judged_ = false;
};

}  // namespace rm_sim
