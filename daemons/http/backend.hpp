// What the HTTP edge needs of the daemons: implemented by them, and by tests.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "batch/cluster_core.hpp"
#include "librm/base/id.hpp"
#include "librm/base/result.hpp"
#include "librm/base/time.hpp"
#include "librm/cluster/agent.hpp"

namespace librm::http {

/// A copy of the master's journal as of one moment, in a file without a name.
struct BackupFile {
  explicit BackupFile(int file) : fd(file) {}
  ~BackupFile();
  BackupFile(const BackupFile&) = delete;
  BackupFile& operator=(const BackupFile&) = delete;

  const int fd;
  std::uint64_t bytes = 0;
  Lsn last_lsn = 0;  ///< all up to it is there
};

/// The master behind its routes. Everything is on the loop's thread; views are valid until control
/// goes back to the loop; callbacks are called once, never from within the request.
class MasterBackend {
 public:
  virtual ~MasterBackend() = default;
  /// Recovered, leading, not stopping.
  virtual bool ready() const = 0;
  virtual const batch::ClusterCore& core() const = 0;
  virtual Now now() const = 0;
  /// The address that others are told.
  virtual std::string http_address() const = 0;
  /// While it is not ready: where another master leads, `10.0.0.2:5050`; empty: nobody known.
  virtual std::string leader_http() const { return {}; }

  using OnSubmit = std::function<void(const batch::SubmitAnswer&)>;
  using OnResult = std::function<void(const Result<void>&)>;
  virtual void submit(std::vector<batch::JobSpec> jobs, std::string idempotency_key, bool dry_run,
                      OnSubmit callback) = 0;
  virtual void control(batch::ControlJob request, OnResult callback) = 0;

  /// The number of a run that was triggered, else 0.
  using OnSchedule = std::function<void(const batch::Checked<std::uint32_t>&)>;
  virtual void add_schedule(batch::AddSchedule request, OnSchedule callback) = 0;
  virtual void control_schedule(batch::ControlSchedule request, OnSchedule callback) = 0;

  virtual void control_agent(ControlAgent request, OnResult callback) = 0;
  virtual void set_maintenance(SetMaintenance request, OnResult callback) = 0;
  virtual void set_quota(SetQuota request, OnResult callback) = 0;
  virtual void set_role_weight(SetRoleWeight request, OnResult callback) = 0;
  virtual void operate(OperateOnAgent request, OnResult callback) = 0;

  /// Copies the journal beside the loop. Fails with failed_precondition while another copy is made.
  using OnBackup = std::function<void(Result<std::shared_ptr<const BackupFile>>)>;
  virtual void backup(OnBackup callback) = 0;

  /// For as long as the backend lives: every durable change of a job, in order. One subscriber.
  virtual void on_job_changed(std::function<void(const batch::JobChanged&)> callback) = 0;
  /// The same of schedules.
  virtual void on_schedule_changed(std::function<void(const batch::ScheduleChanged&)> callback) = 0;
};

/// The agent behind its routes, under the same rules.
class AgentBackend {
 public:
  virtual ~AgentBackend() = default;
  virtual bool ready() const = 0;
  virtual const AgentCore& core() const = 0;
  /// Above `<framework>/<task>/stdout`.
  virtual std::string runs_directory() const = 0;
  /// For as long as the backend lives: called when any view may have changed. One subscriber.
  virtual void on_change(std::function<void()> callback) = 0;
};

}  // namespace librm::http
