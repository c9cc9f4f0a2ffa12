// A framework over a transport of its own: whatever carries bytes in order can carry a session.
//
// The cores speak messages; `encode_message`, `FrameReader`, `decode_message` and `Sequencer` make
// a checked byte stream of them. Here the transport is two strings in memory that deliver in
// crumbs of 100 bytes; a serial line or a message bus would look the same.
#include <cstdio>
#include <string>
#include <utility>

#include "librm/librm.hpp"
#include "librm/wire/message.hpp"
#include "librm/wire/sequencer.hpp"

using namespace librm;

namespace {

constexpr ConnectionId line{2};
const Now now{};

/// One direction of the line.
class Pipe {
 public:
  void send(const Message& message) {
    bytes_ += encode_message(message, 0, sequencer_.next_to_send(), 1);
  }
  /// The next portion of bytes; each whole message in it goes to `handle`.
  template <class Handle>
  bool deliver(Handle handle) {
    if (bytes_.empty()) return false;
    reader_.feed(bytes_.substr(0, 100));
    bytes_.erase(0, 100);
    for (;;) {
      const auto frame = reader_.next();
      if (!frame || !*frame) return frame.has_value();  // broken bytes would end the session
      const FrameHeader& header = (*frame)->header;
      if (sequencer_.on_received(header.request_id) != Sequencer::Verdict::deliver) return false;
      auto message = decode_message(header, (*frame)->payload);
      if (!message) return false;
      std::printf("%s, %zu bytes\n", message_name(header.number), (*frame)->payload.size());
      handle(Received{line, std::move(*message)});
    }
  }

 private:
  std::string bytes_;
  FrameReader reader_;
  Sequencer sequencer_;  // numbers what is sent here, and checks what arrives
};

}  // namespace

int main() {
  Pipe to_master;
  Pipe to_framework;
  MasterCore master{MasterOptions{}};
  MasterActions actions;
  master.resume(now, actions);
  RegisterAgent agent;
  agent.hostname = "host";
  agent.total = Resources::parse("cpus:2;mem:256").value();
  constexpr ConnectionId agent_line{3};
  master.step(now, Received{agent_line, agent}, actions);
  master.step(now, Received{agent_line, AgentHeartbeat{1}}, actions);

  FrameworkOptions options;
  options.info.name = "bus";
  FrameworkCore session{options};
  FrameworkActions outputs;
  session.start(now, outputs);
  for (bool busy = true; busy;) {
    for (const FrameworkOutput& output : std::exchange(outputs, {})) {
      if (std::holds_alternative<ConnectMaster>(output)) {
        session.step(now, MasterConnected{line}, outputs);  // the line is always there
      } else if (const auto* send = std::get_if<Send>(&output)) {
        to_master.send(send->message);
      } else if (const auto* offered = std::get_if<OfferReceived>(&output)) {
        const OfferInfo& offer = offered->offer;
        std::printf("offered %s on %s\n", to_string(offer.resources).c_str(),
                    offer.hostname.c_str());
        session.step(now, Call{DeclineOffers{{offer.id}, seconds(60), "only looking"}}, outputs);
      }
    }
    master.flush(now, actions);
    const MasterActions caused = std::exchange(actions, {});
    for (const auto& item : caused.items()) {
      const auto* output = std::get_if<MasterOutput>(&item);
      const Send* send = output != nullptr ? std::get_if<Send>(output) : nullptr;
      if (send != nullptr && send->connection == line) to_framework.send(send->message);
    }
    const bool up = to_master.deliver([&](const Received& r) { master.step(now, r, actions); });
    const bool down =
        to_framework.deliver([&](const Received& r) { session.step(now, r, outputs); });
    busy = up || down || !outputs.empty() || !actions.empty();
  }
  return session.subscribed() && session.offers().empty() ? 0 : 1;
}
