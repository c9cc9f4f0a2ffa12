// The master's process as it is deployed: master and batch front end in one core, one journal.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <variant>

#include "batch/cluster_core.hpp"
#include "batch/edge/record_codec.hpp"
#include "librm/sim/master_node.hpp"

namespace rm_sim {

struct ClusterCodec {
  using Record = batch::ClusterCore::Record;

  static librm::RecordEntry encode(const Record& record, librm::Dialect dialect) {
    return std::visit([&](const auto& r) { return encode_part(r, dialect); }, record);
  }
  static librm::Result<Record> decode(const librm::RecordEntry& entry) {
    if (entry.stream == librm::batch_stream) {
      return batch::decode_batch_record(entry).map([](batch::BatchRecord r) { return Record(r); });
    }
    return librm::decode_master_record(entry).map([](librm::MasterRecord r) { return Record(r); });
  }
  static librm::Sync sync(const Record&) { return librm::Sync::full; }

 private:
  static librm::RecordEntry encode_part(const librm::MasterRecord& record, librm::Dialect dialect) {
    return librm::encode_record(record, dialect);
  }
  static librm::RecordEntry encode_part(const batch::BatchRecord& record, librm::Dialect dialect) {
    return batch::encode_batch_record(record, dialect);
  }
};

class ClusterNode final : public librm::sim::MasterNodeBase<batch::ClusterCore, ClusterCodec> {
 public:
  using OnBatch = std::function<void(ClusterNode&, const batch::BatchOutput&)>;

  ClusterNode(librm::sim::World& world, librm::sim::Host& host, std::string name,
              librm::sim::Disk& disk, librm::MasterOptions master, batch::BatchOptions batch,
              OnBatch on_batch)
      : MasterNodeBase(world, host, std::move(name), disk),
        master_(master),
        batch_(std::move(batch)),
        on_batch_(std::move(on_batch)) {}

  /// As in the daemon, nothing leaves a process whose lease of the lead is over; without it, all
  /// that the core says does.
  void only_while(std::function<bool()> leads) { leads_ = std::move(leads); }

  void perform(batch::ClusterCore::Output output) override {
    if (leads_ && !leads_()) return;
    if (auto* to_peer = std::get_if<librm::MasterOutput>(&output)) {
      if (const auto* send = std::get_if<librm::Send>(to_peer)) note_sent(*send);
      perform_master(std::move(*to_peer));
    } else {
      on_batch_(*this, std::get<batch::BatchOutput>(output));
    }
  }
  void on_message(librm::ConnectionId connection, librm::Message message) override {
    note_received(connection, message);
    MasterNodeBase::on_message(connection, std::move(message));
  }
  void on_closed(librm::ConnectionId connection) override {
    offered_.erase(connection);
    MasterNodeBase::on_closed(connection);
  }
  void post_batch(batch::BatchEvent event) { post(Event(std::move(event))); }
  librm::Epoch epoch() const override { return running() ? core().master().epoch() : 0; }

  /// What of its offers each peer was told, has not answered, and was not told to be over.
  const std::map<librm::ConnectionId, std::set<librm::OfferId>>& offered() const {
    return offered_;
  }

 protected:
  std::unique_ptr<batch::ClusterCore> make_core() const override {
    return std::make_unique<batch::ClusterCore>(master_, batch_, world().sink());
  }
  void on_crash() override {
    offered_.clear();
    MasterNodeBase::on_crash();
  }

 private:
  void note_sent(const librm::Send& send);
  void note_received(librm::ConnectionId connection, const librm::Message& message);

  librm::MasterOptions master_;
  batch::BatchOptions batch_;
  OnBatch on_batch_;
  std::function<bool()> leads_;
  std::map<librm::ConnectionId, std::set<librm::OfferId>> offered_;
};

}  // namespace rm_sim
