// A simulated master process: the production MasterCore, alone or inside a larger core.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "librm/cluster/master.hpp"
#include "librm/sim/core_node.hpp"
#include "librm/sim/network.hpp"
#include "librm/wire/record.hpp"

namespace librm::sim {

/// What every process with a master does. `Core::Event` can be made from a MasterEvent.
template <class Core, class Codec>
class MasterNodeBase : public CoreNode<Core, Codec> {
 public:
  using Base = CoreNode<Core, Codec>;
  using Base::Base;

  /// Answers to an operator's requests.
  void on_reply(std::function<void(const Reply&)> callback) { on_reply_ = std::move(callback); }

  void on_message(ConnectionId connection, Message message) override {
    post_master(Received{connection, std::move(message)});
  }
  void on_closed(ConnectionId connection) override { post_master(Closed{connection}); }
  void post_master(MasterEvent event) { this->post(typename Core::Event(std::move(event))); }

 protected:
  void perform_master(MasterOutput output) {
    if (auto* send = std::get_if<Send>(&output)) {
      this->world().network().send(*this, send->connection, send->message);
    } else if (auto* close = std::get_if<Close>(&output)) {
      this->trace("closes " + to_string(close->connection) + ": " + close->reason);
      this->world().network().close(*this, close->connection);
    } else if (on_reply_) {
      on_reply_(std::get<Reply>(output));
    }
  }

 private:
  std::function<void(const Reply&)> on_reply_;
};

struct MasterCodec {
  static RecordEntry encode(const MasterRecord& record, Dialect dialect) {
    return encode_record(record, dialect);
  }
  static Result<MasterRecord> decode(const RecordEntry& entry) {
    return decode_master_record(entry);
  }
  static Sync sync(const MasterRecord&) { return Sync::full; }
};

/// A master without a front end, for those who test frameworks of their own.
class MasterNode final : public MasterNodeBase<MasterCore, MasterCodec> {
 public:
  MasterNode(World& world, Host& host, std::string name, Disk& disk, MasterOptions options)
      : MasterNodeBase(world, host, std::move(name), disk), options_(options) {}

  void perform(MasterOutput output) override { perform_master(std::move(output)); }
  Epoch epoch() const override { return running() ? core().epoch() : 0; }

 protected:
  std::unique_ptr<MasterCore> make_core() const override {
    return std::make_unique<MasterCore>(options_, world().sink());
  }

 private:
  MasterOptions options_;
};

}  // namespace librm::sim
