// A master without a network: the real core, whose outputs are performed at once.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "http/backend.hpp"
#include "librm/alloc/allocator.hpp"

namespace librm::http {

class FakeMaster final : public MasterBackend {
 public:
  FakeMaster() : core_({}, options()) {
    batch::ClusterCore::Actions actions;
    core_.resume(clock, actions);
    core_.flush(clock, actions);
    perform(actions);
  }

  bool ready() const override { return is_ready; }
  const batch::ClusterCore& core() const override { return core_; }
  Now now() const override { return clock; }
  std::string http_address() const override { return "127.0.0.1:5050"; }

  void submit(std::vector<batch::JobSpec> jobs, std::string key, bool dry_run,
              OnSubmit callback) override {
    submits_[++request_] = std::move(callback);
    later_.push_back(
        batch::BatchEvent(batch::SubmitJobs{request_, std::move(jobs), std::move(key), dry_run}));
  }
  void add_schedule(batch::AddSchedule request, OnSchedule callback) override {
    request.request = ++request_;
    schedules_[request_] = std::move(callback);
    later_.push_back(batch::BatchEvent(std::move(request)));
  }
  void control_schedule(batch::ControlSchedule request, OnSchedule callback) override {
    request.request = ++request_;
    schedules_[request_] = std::move(callback);
    later_.push_back(batch::BatchEvent(std::move(request)));
  }
  void control(batch::ControlJob request, OnResult callback) override {
    request.request = ++request_;
    cancels_[request_] = std::move(callback);
    later_.push_back(batch::BatchEvent(std::move(request)));
  }
  void control_agent(ControlAgent request, OnResult callback) override {
    request.request = ++request_;
    cancels_[request_] = std::move(callback);
    later_.push_back(MasterEvent(std::move(request)));
  }
  void set_maintenance(SetMaintenance request, OnResult callback) override {
    request.request = ++request_;
    cancels_[request_] = std::move(callback);
    later_.push_back(MasterEvent(std::move(request)));
  }
  void set_quota(SetQuota request, OnResult callback) override {
    request.request = ++request_;
    cancels_[request_] = std::move(callback);
    later_.push_back(MasterEvent(std::move(request)));
  }
  void set_role_weight(SetRoleWeight request, OnResult callback) override {
    request.request = ++request_;
    cancels_[request_] = std::move(callback);
    later_.push_back(MasterEvent(std::move(request)));
  }
  void operate(OperateOnAgent request, OnResult callback) override {
    request.request = ++request_;
    cancels_[request_] = std::move(callback);
    later_.push_back(MasterEvent(std::move(request)));
  }
  void backup(OnBackup callback) override { on_backup = std::move(callback); }
  OnBackup on_backup;
  void on_job_changed(std::function<void(const batch::JobChanged&)> callback) override {
    changed_ = std::move(callback);
  }
  void on_schedule_changed(std::function<void(const batch::ScheduleChanged&)> callback) override {
    schedule_changed_ = std::move(callback);
  }

  /// Steps through what was asked for.
  void turn() {
    while (!later_.empty()) {
      const batch::ClusterCore::Event event = std::move(later_.front());
      later_.pop_front();
      step(event);
    }
  }
  void step(batch::ClusterCore::Event event) {
    batch::ClusterCore::Actions actions;
    core_.step(clock, event, actions);
    core_.flush(clock, actions);
    perform(actions);
  }

  /// An agent that registers, as if it had connected.
  void add_agent(const std::string& hostname, const std::string& http_address,
                 const std::string& total = "cpus:4;mem:4096;ports:[31000-31010]") {
    RegisterAgent message;
    message.incarnation = {7};
    message.hostname = hostname;
    message.http_address = http_address;
    message.total = *Resources::parse(total);
    message.topology = "Package:1 Core:4 PU:1";
    step(MasterEvent(Received{ConnectionId{++connection_}, message}));
    // With which it shows that it has got its id.
    step(MasterEvent(Received{ConnectionId{connection_}, AgentHeartbeat{1}}));
  }
  /// A framework of its own that subscribes, declines what it is offered, and has this demand.
  void add_demand(const std::string& framework, const std::string& shape, std::uint32_t count) {
    const ConnectionId connection{++connection_};
    FrameworkInfo info;
    info.name = framework;
    info.user = "root";
    step(MasterEvent(Received{connection, Subscribe{{}, info}}));
    DeclineOffers decline;
    const auto subscribed = core_.master().allocator().frameworks().back().framework;
    for (const Offer* offer : core_.master().allocator().offers_of(subscribed)) {
      decline.offers.push_back(offer->id);
    }
    decline.refuse_for = seconds(3600);
    step(MasterEvent(Received{connection, decline}));
    Demand demand;
    demand.id = {1};
    demand.role = any_role;
    demand.shape = parse_request(shape).value();
    demand.count_min = demand.count_max = count;
    step(MasterEvent(Received{connection, DeclareDemands{{demand}}}));
  }
  /// The state of a task, as its agent would report it.
  void report(const TaskId& task, TaskState state, std::optional<int> exit_code = {}) {
    StatusUpdate update;
    update.framework = *core_.batch().framework();
    update.task = task;
    update.agent = {1};
    update.state = state;
    update.sequence = ++sequence_;
    update.started = clock.wall;
    if (exit_code) update.exit_code = *exit_code;
    step(MasterEvent(Received{ConnectionId{connection_}, StatusUpdates{{update}}}));
  }

  Now clock{{1'000'000'000}, {1'700'000'000'000'000'000}};
  bool is_ready = true;

 private:
  static batch::BatchOptions options() {
    batch::BatchOptions options;
    options.framework.name = "batch";
    options.framework.failover_timeout = seconds(3600);
    return options;
  }

  void perform(batch::ClusterCore::Actions& actions) {
    for (auto& item : actions.items()) {
      auto* output = std::get_if<batch::ClusterCore::Output>(&item);
      if (output == nullptr) continue;
      if (const auto* of_master = std::get_if<MasterOutput>(output)) {
        const auto* reply = std::get_if<Reply>(of_master);
        if (reply != nullptr) cancels_.extract(reply->request).mapped()(reply->result);
      }
      const auto* batch_output = std::get_if<batch::BatchOutput>(output);
      if (batch_output == nullptr) continue;
      if (const auto* answer = std::get_if<batch::SubmitAnswer>(batch_output)) {
        submits_.extract(answer->request).mapped()(*answer);
      } else if (const auto* cancelled = std::get_if<batch::ControlAnswer>(batch_output)) {
        cancels_.extract(cancelled->request).mapped()(cancelled->result);
      } else if (const auto* schedule = std::get_if<batch::ScheduleAnswer>(batch_output)) {
        schedules_.extract(schedule->request).mapped()(schedule->run);
      } else if (const auto* change = std::get_if<batch::JobChanged>(batch_output)) {
        if (changed_) changed_(*change);
      } else if (const auto* news = std::get_if<batch::ScheduleChanged>(batch_output)) {
        if (schedule_changed_) schedule_changed_(*news);
      }
    }
  }

  batch::ClusterCore core_;
  std::function<void(const batch::JobChanged&)> changed_;
  std::function<void(const batch::ScheduleChanged&)> schedule_changed_;
  std::deque<batch::ClusterCore::Event> later_;
  std::uint64_t request_ = 0;
  std::uint64_t connection_ = 100;
  std::uint64_t sequence_ = 0;
  std::map<std::uint64_t, OnSubmit> submits_;
  std::map<std::uint64_t, OnResult> cancels_;
  std::map<std::uint64_t, OnSchedule> schedules_;
};

}  // namespace librm::http
