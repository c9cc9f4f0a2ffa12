// The master as a service in a process: core, journal and cluster port behind one object.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "batch/cluster_core.hpp"
#include "http/backend.hpp"
#include "librm/base/id.hpp"
#include "librm/base/result.hpp"
#include "librm/base/time.hpp"

namespace asio {
class io_context;
}

namespace librm::daemon {

struct MasterConfig {
  std::string listen = "127.0.0.1";   ///< numeric address of the cluster port
  std::uint16_t cluster_port = 5150;  ///< 0 picks a free one
  std::string work_dir;               ///< absolute
  /// `postgresql://...`: the journal is there, shared by several masters; empty: in work_dir.
  std::string state;
  std::string cluster = "default";  ///< names this cluster among those in the database
  /// `zk://...` or `file:///...`: masters elect their leader there; with `state` only.
  std::string zk;
  Duration zk_session = seconds(10);
  std::map<std::string, std::int64_t> role_weights_milli;
  std::uint32_t snapshot_every = 50'000;  ///< records
  /// Below this no new work is taken, so that what was taken can end; twice as much is enough
  /// again.
  std::uint32_t storage_low_mib = 64;
  MasterOptions master;
  batch::BatchOptions batch;
};

/// A master that is not the leader any more, or lost its journal: the process begins anew.
inline constexpr int begin_anew = 75;

/// Owns the core, its driver, the journal and the cluster port. The HTTP edge reads the core
/// through core() and changes it through the requests below, whose answers come when they are
/// durable.
///
/// Everything happens on the io_context's thread; views are valid until control goes back to the
/// loop. The io_context outlives it.
class MasterService {
 public:
  /// `on_end` is called once, with the exit code: after stop(), or when it cannot go on; of one of
  /// several masters also begin_anew.
  MasterService(asio::io_context& io, MasterConfig config, std::function<void(int)> on_end);
  ~MasterService();
  MasterService(const MasterService&) = delete;
  MasterService& operator=(const MasterService&) = delete;

  /// Takes the directory, recovers, becomes leader and listens; `on_ready` comes when the new
  /// epoch is durable, of one of several masters when it was elected. Fails with already_exists
  /// where another master has the directory or a port. `http_address` is what others are told.
  Result<void> start(const std::string& http_address, std::function<void()> on_ready);
  /// Closes the cluster port, commits what was decided, then calls on_end(0). Within seconds.
  void stop();

  /// The epoch is durable, stop() was not called, and no other can lead yet.
  bool ready() const;
  /// Where the leader answers HTTP, if that is another master: `10.0.0.2:5050`; else empty.
  std::string leader_http() const;
  const std::string& http_address() const;
  std::string cluster_address() const;

  const batch::ClusterCore& core() const;
  Now now() const;

  // --- requests; each callback is called once, never from within the request ---

  using OnSubmit = std::function<void(const batch::SubmitAnswer&)>;
  using OnResult = std::function<void(const Result<void>&)>;
  /// All or nothing. An `idempotency_key` that was used before is answered as it was then.
  void submit(std::vector<batch::JobSpec> jobs, std::string idempotency_key, bool dry_run,
              OnSubmit callback);
  void control(batch::ControlJob wanted, OnResult callback);
  /// Their `request` is filled in. The answer is the number of a run that was triggered, else 0.
  using OnSchedule = std::function<void(const batch::Checked<std::uint32_t>&)>;
  void add_schedule(batch::AddSchedule request, OnSchedule callback);
  void control_schedule(batch::ControlSchedule request, OnSchedule callback);
  void mark_agent_gone(AgentId agent, OnResult callback);
  /// Their `request` is filled in.
  void control_agent(ControlAgent wanted, OnResult callback);
  void set_maintenance(SetMaintenance wanted, OnResult callback);
  void set_role_weight(SetRoleWeight wanted, OnResult callback);
  void set_quota(SetQuota wanted, OnResult callback);
  void operate(OperateOnAgent wanted, OnResult callback);

  /// Copies the journal beside the loop.
  void backup(http::MasterBackend::OnBackup callback);

  // --- news ---

  using OnJobChanged = std::function<void(const batch::JobChanged&)>;
  /// Every durable change of a job, in order; the core may be ahead of it. Subscribing and
  /// unsubscribing from within a callback is allowed.
  std::uint64_t subscribe(OnJobChanged callback);
  /// The same for schedules.
  using OnScheduleChanged = std::function<void(const batch::ScheduleChanged&)>;
  std::uint64_t subscribe_schedules(OnScheduleChanged callback);
  void unsubscribe(std::uint64_t token);

  /// `127.0.0.1:5051`; empty for an agent that is not known.
  std::string agent_http_address(AgentId agent) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace librm::daemon
