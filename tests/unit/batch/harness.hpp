// A batch front end on a bench: the test plays master and clock, and sees every action.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "batch/array.hpp"
#include "batch/array_text.hpp"
#include "batch/batch.hpp"

namespace batch::test {

/// `job("a").cpus(2).after("b")`.
class JobBuilder {
 public:
  explicit JobBuilder(std::string name) {
    spec_.name = std::move(name);
    spec_.command.value = "true";
  }
  JobBuilder& cpus(std::int64_t n) { return amount("cpus", n); }
  JobBuilder& mem(std::int64_t n) { return amount("mem", n); }
  JobBuilder& amount(const std::string& name, std::int64_t n) {
    spec_.request.amounts[name] = librm::Amount::units(n);
    return *this;
  }
  JobBuilder& after(std::string parent, EdgeKind kind = EdgeKind::ok) {
    spec_.dependencies.push_back({std::move(parent), kind});
    return *this;
  }
  JobBuilder& priority(std::int32_t n) { return spec_.priority = n, *this; }
  JobBuilder& retries(std::uint32_t n) { return spec_.retries = n, *this; }
  JobBuilder& retry_delay(librm::Duration d) { return spec_.retry_delay = d, *this; }
  JobBuilder& time_limit(librm::Duration d) { return spec_.time_limit = d, *this; }
  JobBuilder& lost(LostPolicy policy) { return spec_.lost = policy, *this; }
  JobBuilder& fence_after(librm::Duration d) { return spec_.fence_after = d, *this; }
  JobBuilder& on_failed(OnDependencyFailed p) { return spec_.on_dependency_failed = p, *this; }
  JobBuilder& constraint(std::string name, std::string value) {
    spec_.constraints.emplace(std::move(name), std::move(value));
    return *this;
  }
  JobBuilder& array(const std::string& text) {
    spec_.array = parse_array(text).value();
    return *this;
  }
  JobBuilder& hold() { return spec_.hold = true, *this; }
  JobBuilder& command(std::string text) { return spec_.command.value = std::move(text), *this; }

  operator JobSpec() const { return spec_; }  // NOLINT: a builder is what it builds
  JobSpec spec() const { return spec_; }

 private:
  JobSpec spec_;
};

inline JobBuilder job(std::string name) { return JobBuilder(std::move(name)); }

inline librm::Resources resources(const std::string& text) {
  return librm::Resources::parse(text).value();
}

/// The agent `a-n` of `cpus` and 1024 MiB for each of them, unless told otherwise.
inline ClusterShape::Node node(std::uint64_t n, const std::string& total,
                               librm::Attributes attributes = {}) {
  return {librm::AgentId{n}, "host-" + std::to_string(n), std::move(attributes), resources(total),
          true};
}

class Bench {
 public:
  explicit Bench(BatchOptions options = {})
      : options_(std::move(options)), core(std::make_unique<BatchCore>(options_)) {
    clock.mono = {1'000'000'000'000};
    clock.wall = {1'700'000'000'000'000'000};
  }

  /// As a new process, from the records, of which the first `count` had become durable.
  void restart(std::size_t count) {
    records.resize(std::min(count, records.size()));
    core = std::make_unique<BatchCore>(options_);
    for (const BatchRecord& record : records) core->apply(record);
    actions.clear();
  }
  void restart() { restart(records.size()); }

  /// Resumes and subscribes as framework f-1, to a master that may be silent for long.
  void connect() {
    perform([&](BatchActions& out) { core->resume(clock, out); });
    session(librm::MasterConnected{{1}});
    message(librm::Subscribed{{1}, 1, librm::seconds(1'000'000)});
  }

  void step(const BatchEvent& event) {
    perform([&](BatchActions& out) { core->step(clock, event, out); });
  }
  void session(librm::FrameworkEvent event) { step(SessionEvent{std::move(event)}); }
  void message(librm::Message message) { session(librm::Received{{1}, std::move(message)}); }
  void flush() {
    perform([&](BatchActions& out) { core->flush(clock, out); });
  }
  void pass(librm::Duration time) {
    clock.mono = clock.mono + time;
    clock.wall = clock.wall + time;
    step(librm::Tick{});
    flush();
  }

  librm::Result<std::vector<JobId>> submit(std::vector<JobSpec> jobs, std::string key = {}) {
    actions.clear();
    step(SubmitJobs{7, std::move(jobs), std::move(key), false});
    auto answer = outputs<SubmitAnswer>().at(0);
    EXPECT_EQ(answer.request, 7u);
    repeated = answer.repeated;
    flush();
    return answer.jobs;
  }
  std::string refusal(std::vector<JobSpec> jobs) {
    const std::size_t before = records.size();
    auto answer = submit(std::move(jobs));
    EXPECT_EQ(records.size(), before) << "a refused submission stores nothing";
    return answer ? "accepted"
                  : std::string(to_string(answer.error().code)) + ": " + answer.error().message;
  }
  std::string cancel(JobId id, std::string reason = {}) {
    return control(JobAction::cancel, id, {}, std::move(reason));
  }
  /// `elements` as people write them, `3,7-9`; empty: all.
  std::string control(JobAction action, JobId id, const std::string& elements = {},
                      std::string reason = {}) {
    librm::Ranges wanted;
    if (!elements.empty()) wanted = parse_array(elements).value().indices;
    step(ControlJob{8, action, id, std::move(reason), std::move(wanted)});
    auto answer = outputs<ControlAnswer>().back();
    flush();
    return answer.result ? "ok" : answer.result.error().message;
  }

  void shape(std::vector<ClusterShape::Node> nodes) { step(ClusterShape{std::move(nodes)}); }

  /// An offer of agent `n`, and a flush.
  void offer(std::uint64_t n, const std::string& amounts, librm::Attributes attributes = {}) {
    actions.clear();
    librm::OfferInfo offer;
    offer.id = {++offer_last_};
    offer.agent = {n};
    offer.incarnation = {100 + n};
    offer.role = "*";
    offer.hostname = "host-" + std::to_string(n);
    offer.attributes = std::move(attributes);
    offer.resources = resources(amounts);
    offer.lease = librm::seconds(30);
    message(librm::Offers{{offer}});
    flush();
  }

  void update(const std::string& task, librm::TaskState state,
              std::optional<std::int32_t> exit_code = {},
              librm::TaskReason reason = librm::TaskReason::none) {
    actions.clear();
    librm::StatusUpdate update;
    update.framework = {1};
    update.task = task;
    update.agent = agent_of(task);
    update.state = state;
    update.reason = reason;
    update.exit_code = exit_code;
    const bool by_master = state == librm::TaskState::unreachable ||
                           state == librm::TaskState::unknown || state == librm::TaskState::dropped;
    update.sequence = by_master ? 0 : ++sequences_[task];
    message(librm::StatusUpdates{{update}});
    flush();
  }
  void running(const std::string& task) { update(task, librm::TaskState::running); }
  void finished(const std::string& task) { update(task, librm::TaskState::finished, 0); }
  void failed(const std::string& task, int code = 1) {
    update(task, librm::TaskState::failed, code, librm::TaskReason::command_failed);
  }

  /// Launched since actions were last cleared, in order.
  std::vector<std::string> launched() const {
    std::vector<std::string> tasks;
    for (const auto& accept : sent<librm::AcceptOffers>()) {
      for (const auto& task : accept.tasks) tasks.push_back(task.id);
    }
    return tasks;
  }
  /// `pending`, `failed: exit code 1`.
  std::string state(JobId id) const {
    const Job* found = core->find(id);
    if (found == nullptr) return "none";
    const std::string text = to_string(found->state);
    return found->reason.empty() ? text : text + ": " + found->reason;
  }
  /// `pending 3-9; running 0-2`: the elements of an array by their states.
  std::string elements(JobId id) const {
    const Job& array = *core->find(id);
    std::string text;
    for (const JobState state : {JobState::pending, JobState::held, JobState::running,
                                 JobState::finished, JobState::failed, JobState::cancelled}) {
      const librm::Ranges indices = elements_in(array, state);
      if (indices.empty()) continue;
      text +=
          (text.empty() ? "" : "; ") + std::string(to_string(state)) + " " + indices_text(indices);
    }
    return text;
  }
  std::string why(JobId id) const { return core->why(*core->find(id), clock).summary; }

  template <class T>
  std::vector<T> outputs() const {
    std::vector<T> found;
    for (const auto& item : actions.items()) {
      const auto* output = std::get_if<1>(&item);
      if (output == nullptr) continue;
      if (const T* match = std::get_if<T>(output)) found.push_back(*match);
    }
    return found;
  }
  template <class T>
  std::vector<T> sent() const {
    std::vector<T> found;
    for (const auto& output : outputs<SessionOutput>()) {
      const auto* send = std::get_if<librm::Send>(&output.output);
      if (send == nullptr) continue;
      if (const T* match = std::get_if<T>(&send->message)) found.push_back(*match);
    }
    return found;
  }

  BatchOptions options_;
  std::unique_ptr<BatchCore> core;
  librm::Now clock;
  BatchActions actions;              ///< since they were last cleared
  std::vector<BatchRecord> records;  ///< of all time
  bool repeated = false;

 private:
  template <class Function>
  void perform(Function function) {
    BatchActions made;
    function(made);
    for (auto& item : made.items()) {
      if (const auto* record = std::get_if<0>(&item)) records.push_back(*record);
      actions.items().push_back(std::move(item));
    }
    EXPECT_EQ(core->check_invariants(), std::vector<std::string>{});
  }
  librm::AgentId agent_of(const std::string& task) const {
    const auto name = parse_task_id(task);
    const Job* found = name ? core->find(name->job) : nullptr;
    if (found == nullptr || name->index.has_value() != found->elements.has_value()) return {1};
    const Execution* execution = name->index ? find_launched(*found, *name->index) : found;
    if (execution == nullptr) return {1};
    for (const Attempt& attempt : execution->attempts) {
      if (attempt.attempt == name->attempt) return attempt.agent;
    }
    return {1};
  }

  std::uint64_t offer_last_ = 0;
  std::map<std::string, std::uint64_t> sequences_;
};

/// Connected, with one agent of 8 CPUs known.
inline Bench connected(BatchOptions options = {}) {
  Bench bench(std::move(options));
  bench.connect();
  bench.shape({node(1, "cpus:8;mem:8192;ports:[31000-31009]")});
  return bench;
}

}  // namespace batch::test
