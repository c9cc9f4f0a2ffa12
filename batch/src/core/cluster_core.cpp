// Master and batch front end in one: events passed between them until both are quiet.
#include "batch/cluster_core.hpp"

#include <utility>

#include "librm/base/check.hpp"
#include "librm/resource/operation.hpp"

namespace batch {

namespace {

/// A flush settles in a few rounds; a thousand mean that two parts answer each other for ever.
constexpr int rounds_max = 1000;
constexpr librm::Duration silence_interval = librm::seconds(1);
constexpr std::size_t hops_max = 10'000'000;

std::string out_of_service(const librm::AgentServiceRecord& record) {
  if (record.service == librm::AgentService::normal) return {};
  return std::string("agent is ") + to_string(record.service) +
         (record.reason.empty() ? "" : ": " + record.reason);
}

}  // namespace

ClusterCore::ClusterCore(librm::MasterOptions master, BatchOptions batch, librm::TraceSink* trace)
    : agent_lease_(master.agent_lease),
      master_(std::move(master), trace),
      batch_(std::move(batch), trace) {}

void ClusterCore::step(librm::Now now, const Event& event, Actions& out) {
  if (std::holds_alternative<librm::Tick>(event)) {
    step_master(now, librm::Tick{}, out);
    step_batch(now, librm::Tick{}, out);
  } else if (const auto* master = std::get_if<librm::MasterEvent>(&event)) {
    step_master(now, *master, out);
    // The disk is one, whichever part is told.
    if (const auto* low = std::get_if<librm::StorageLow>(master)) step_batch(now, *low, out);
  } else {
    const auto& batch = std::get<BatchEvent>(event);
    step_batch(now, batch, out);
    if (const auto* low = std::get_if<librm::StorageLow>(&batch)) step_master(now, *low, out);
  }
  settle(now, out);
}

void ClusterCore::step_master(librm::Now now, const librm::MasterEvent& event, Actions& out) {
  librm::MasterActions actions;
  master_.step(now, event, actions);
  take(actions, out);
}

void ClusterCore::step_batch(librm::Now now, const BatchEvent& event, Actions& out) {
  BatchActions actions;
  batch_.step(now, event, actions);
  take(actions, out);
}

void ClusterCore::flush(librm::Now now, Actions& out) {
  for (int round = 0;; ++round) {
    LIBRM_CHECK(round < rounds_max, "master and batch front end never come to rest");
    if (shape_changed_ || shape_ages(now)) tell_shape(now);
    settle(now, out);
    librm::MasterActions master_actions;
    master_.flush(now, master_actions);
    take(master_actions, out);
    settle(now, out);
    BatchActions batch_actions;
    batch_.flush(now, batch_actions);
    take(batch_actions, out);
    settle(now, out);
    if (master_actions.empty() && batch_actions.empty() && !shape_changed_) return;
  }
}

librm::Deadline ClusterCore::next_deadline() const {
  librm::Deadline deadline = master_.next_deadline();
  deadline.merge(batch_.next_deadline());
  if (batch_.rescheduling_pause()) deadline.at_latest(look_at_silence_);
  return deadline;
}

void ClusterCore::apply(const Record& record) {
  if (const auto* master = std::get_if<librm::MasterRecord>(&record)) {
    master_.apply(*master);
  } else {
    batch_.apply(std::get<BatchRecord>(record));
  }
}

void ClusterCore::resume(librm::Now now, Actions& out) {
  librm::MasterActions master_actions;
  master_.resume(now, master_actions);
  take(master_actions, out);
  shape_changed_ = true;
  BatchActions batch_actions;
  batch_.resume(now, batch_actions);
  take(batch_actions, out);
  settle(now, out);
}

std::vector<ClusterCore::Record> ClusterCore::snapshot() const {
  std::vector<Record> records;
  for (librm::MasterRecord& record : master_.snapshot()) records.emplace_back(std::move(record));
  for (BatchRecord& record : batch_.snapshot()) records.emplace_back(std::move(record));
  return records;
}

std::vector<std::string> ClusterCore::check_invariants() const {
  std::vector<std::string> wrong = master_.check_invariants();
  for (std::string& text : batch_.check_invariants()) wrong.push_back(std::move(text));
  if (!to_master_.empty() || !to_batch_.empty())
    wrong.push_back("master and batch are not settled");
  return wrong;
}

/// What is for the batch front end is queued for it, the rest leaves.
void ClusterCore::take(librm::MasterActions& actions, Actions& out) {
  for (auto& item : actions.items()) {
    if (auto* record = std::get_if<0>(&item)) {
      // All that the cluster's shape is made of is in these, so it cannot change without.
      if (std::holds_alternative<librm::AgentRecord>(*record) ||
          std::holds_alternative<librm::AgentServiceRecord>(*record) ||
          std::holds_alternative<librm::ReservationsRecord>(*record) ||
          std::holds_alternative<librm::MaintenanceRecord>(*record)) {
        shape_changed_ = true;
      }
      out.record(std::move(*record));
      continue;
    }
    librm::MasterOutput& output = std::get<1>(item);
    auto* send = std::get_if<librm::Send>(&output);
    auto* close = std::get_if<librm::Close>(&output);
    if (send != nullptr && send->connection == local_connection) {
      to_batch_.emplace_back(
          SessionEvent{librm::Received{local_connection, std::move(send->message)}});
    } else if (close != nullptr && close->connection == local_connection) {
      to_batch_.emplace_back(SessionEvent{librm::Closed{local_connection}});
    } else {
      out.output(std::move(output));
    }
  }
}

/// What is for the master is queued for it; a connection to it is always there.
void ClusterCore::take(BatchActions& actions, Actions& out) {
  for (auto& item : actions.items()) {
    if (auto* record = std::get_if<0>(&item)) {
      out.record(std::move(*record));
      continue;
    }
    BatchOutput& output = std::get<1>(item);
    auto* session = std::get_if<SessionOutput>(&output);
    if (session == nullptr) {
      out.output(std::move(output));
    } else if (auto* send = std::get_if<librm::Send>(&session->output)) {
      to_master_.emplace_back(librm::Received{local_connection, std::move(send->message)});
    } else if (std::holds_alternative<librm::Close>(session->output)) {
      to_master_.emplace_back(librm::Closed{local_connection});
    } else {
      to_batch_.emplace_back(SessionEvent{librm::MasterConnected{local_connection}});
    }
  }
}

void ClusterCore::settle(librm::Now now, Actions& out) {
  std::size_t hops = 0;
  while (!to_master_.empty() || !to_batch_.empty()) {
    LIBRM_CHECK(++hops < hops_max, "master and batch front end answer each other for ever");
    if (!to_master_.empty()) {
      const librm::MasterEvent event = std::move(to_master_.front());
      to_master_.pop_front();
      step_master(now, event, out);
    } else {
      const BatchEvent event = std::move(to_batch_.front());
      to_batch_.pop_front();
      step_batch(now, event, out);
    }
  }
}

/// Who was silent and is heard again changes no record; only the end of a pause waits for it.
bool ClusterCore::shape_ages(librm::Now now) const {
  return batch_.rescheduling_pause() && now.mono >= look_at_silence_;
}

/// Once a flush, not at every event: agents come in crowds, and each would cost a whole shape.
void ClusterCore::tell_shape(librm::Now now) {
  shape_changed_ = false;
  look_at_silence_ = now.mono + silence_interval;
  ClusterShape shape;
  for (const auto& [id, agent] : master_.agents()) {
    const librm::AgentRecord& record = agent.record;
    if (record.status == librm::AgentStatus::gone) continue;
    // With what was reserved since its start, also while it is away.
    librm::Resources total = librm::restore(record.total, agent.made, {}).total;
    shape.nodes.push_back({id, record.hostname, record.attributes, std::move(total),
                           record.status == librm::AgentStatus::admitted,
                           now.mono - agent.last_heard > agent_lease_,
                           agent.service.service == librm::AgentService::down,
                           out_of_service(agent.service), agent.available_until});
  }
  if (shape == shape_) return;
  shape_ = shape;
  to_batch_.emplace_back(std::move(shape));
}

}  // namespace batch
