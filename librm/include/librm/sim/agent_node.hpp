// A simulated agent process: the production AgentCore, its journal, its shepherd and its network.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "librm/cluster/agent.hpp"
#include "librm/sim/core_node.hpp"
#include "librm/sim/shepherd.hpp"
#include "librm/wire/record.hpp"

namespace librm::sim {

struct AgentCodec {
  static RecordEntry encode(const AgentCoreRecord& record, Dialect dialect) {
    return encode_record(record, dialect);
  }
  static Result<AgentCoreRecord> decode(const RecordEntry& entry) {
    return decode_agent_record(entry);
  }
  /// The page cache is enough for the ledger: a crash of the host ends the tasks anyway.
  static Sync sync(const AgentCoreRecord& record) {
    return std::holds_alternative<AgentIdentityRecord>(record) ? Sync::full : Sync::cached;
  }
};

/// The incarnation in the options is replaced by the host's at each start. A stopped agent (see
/// StopAgent) stays ended until somebody starts it.
class AgentNode final : public CoreNode<AgentCore, AgentCodec> {
 public:
  /// Where a leader may be found now; nullptr where nobody knows one.
  using FindMaster = std::function<Node*()>;

  AgentNode(World& world, Host& host, std::string name, Disk& disk, Shepherd& shepherd,
            AgentOptions options, FindMaster find_master);

  void perform(AgentOutput output) override;

  /// The leader whose session it is in; nullptr where it is in none.
  const Node* master() const;
  /// The epoch with which that leader took it in.
  Epoch master_epoch() const { return master_epoch_; }
  /// Why the last life ended by itself.
  const std::optional<Error>& stopped() const { return stopped_; }
  Shepherd& shepherd() const { return shepherd_; }
  const AgentOptions& options() const { return options_; }

  void on_message(ConnectionId connection, Message message) override;
  void on_closed(ConnectionId connection) override;

 protected:
  std::unique_ptr<AgentCore> make_core() const override;
  void on_start() override;
  void on_crash() override;

 private:
  void act(ConnectMaster&&);
  void act(Send&& send);
  void act(Close&& close);
  void act(ToShepherd&& to);
  void act(ToExecutor&&) {}
  void act(StopAgent&& stop);
  void reach_shepherd(Duration delay);

  Shepherd& shepherd_;
  AgentOptions options_;
  FindMaster find_master_;
  ConnectionId newest_connection_;
  std::optional<ConnectionId> master_connection_;
  Epoch master_epoch_ = 0;
  std::optional<Error> stopped_;
  std::uint64_t shepherd_session_ = 0;
};

}  // namespace librm::sim
