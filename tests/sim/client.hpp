// A person at the batch front end: submits, does not always get an answer, asks again, cancels.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "batch/batch.hpp"
#include "cluster_node.hpp"
#include "librm/sim/world.hpp"
#include "scenario.hpp"

namespace rm_sim {

/// Command of tasks that run for longer than agents are out of reach.
inline constexpr const char* long_work = "work on";

/// A submission is repeated with its idempotency key until it is answered. What was answered must
/// stay known; see on_acknowledged.
class Client {
 public:
  using Find = std::function<ClusterNode*()>;  ///< a process that may be the leader, or nullptr
  using OnAcknowledged =
      std::function<void(const std::string& key, const std::vector<batch::JobId>& jobs)>;
  using OnRefused = std::function<void(const std::string& key)>;

  Client(librm::sim::World& world, const Scenario& scenario, Find find);

  void on_acknowledged(OnAcknowledged callback) { on_acknowledged_ = std::move(callback); }
  void on_refused(OnRefused callback) { on_refused_ = std::move(callback); }

  /// Spreads the scenario's jobs over its time of trouble.
  void start();
  /// What a front end says, wherever it comes from; answers may get lost on the way.
  void receive(const batch::BatchOutput& output);
  /// From now on answers arrive, and jobs that wait for a person are cancelled.
  void heal() { healed_ = true; }
  void cancel(batch::JobId job);
  /// Jobs that can never run, and were accepted nevertheless.
  void cancel_unwanted();

  /// Every submission and schedule was answered.
  bool done() const;
  std::uint32_t acknowledged() const { return acknowledged_; }
  std::uint32_t refused() const { return refused_; }
  std::uint32_t repeated() const { return repeated_; }

 private:
  struct Submission {
    std::string key;
    std::vector<batch::JobSpec> jobs;
    bool answered = false;
    bool must_fail = false;     ///< wrong on purpose
    bool fits_nowhere = false;  ///< refused, unless no agent was ever seen
    std::uint32_t tries = 0;
  };

  struct Planned {
    batch::ScheduleSpec spec;
    bool answered = false;
    bool accepted = false;
  };

  void plan_schedules();
  batch::ScheduleSpec draw_schedule();
  void try_schedule(std::size_t index);
  void answer(const batch::ScheduleAnswer& answer);
  batch::JobSpec draw_job(const std::vector<batch::JobSpec>& before);
  void draw_request(batch::JobSpec& spec);
  void draw_dependencies(batch::JobSpec& spec, const std::vector<batch::JobSpec>& before);
  void draw_array(batch::JobSpec& spec, const std::vector<batch::JobSpec>& before);
  void meddle_later(batch::JobId job);
  void spoil(Submission& submission);
  void try_submit(std::size_t index);
  void answer(const batch::SubmitAnswer& answer);

  librm::sim::World& world_;
  const Scenario& scenario_;
  Find find_;
  OnAcknowledged on_acknowledged_;
  OnRefused on_refused_;
  std::vector<Submission> submissions_;
  std::vector<Planned> schedules_;
  std::map<std::uint64_t, std::size_t> schedule_requests_;
  std::map<std::uint64_t, std::size_t> requests_;
  std::vector<batch::JobId> known_jobs_;
  std::vector<batch::JobId> unwanted_;
  std::uint64_t request_last_ = 0;
  std::uint32_t names_ = 0;
  std::uint32_t acknowledged_ = 0;
  std::uint32_t refused_ = 0;
  std::uint32_t repeated_ = 0;
  bool healed_ = false;
};

}  // namespace rm_sim
