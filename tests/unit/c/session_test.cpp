// A framework's session through the C interface, against a real master, byte by byte.
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "librm/cluster/master.hpp"
#include "librm/wire/message.hpp"
#include "librm/wire/sequencer.hpp"
#include "support.hpp"

namespace librm {
namespace {

using namespace test;

constexpr std::int64_t second = 1'000'000'000;
constexpr ConnectionId agent_line{2};
constexpr ConnectionId line{3};

/// A master with one agent, and the bytes between it and a session.
class Wire {
 public:
  Wire() {
    master.resume(Now{}, actions);
    RegisterAgent agent;
    agent.hostname = "host";
    agent.total = Resources::parse("cpus:2").value();
    agent.attributes = {{"rack", "r7"}};
    master.step(Now{}, Received{agent_line, agent}, actions);
    master.step(Now{}, Received{agent_line, AgentHeartbeat{1}}, actions);
  }

  /// What the session sent, to the master.
  void up(rm_session* session) {
    std::size_t size = 0;
    const void* bytes = rm_session_outgoing(session, &size);
    reader.feed({static_cast<const char*>(bytes), size});
    ASSERT_EQ(rm_session_sent(session, size, nullptr), RM_OK);
    for (;;) {
      const auto frame = reader.next();
      ASSERT_TRUE(frame) << frame.error().message;
      if (!*frame) return;
      ASSERT_EQ(up_sequence.on_received((*frame)->header.request_id), Sequencer::Verdict::deliver);
      auto message = decode_message((*frame)->header, (*frame)->payload);
      ASSERT_TRUE(message) << message.error().message;
      master.step(Now{}, Received{line, std::move(*message)}, actions);
    }
  }
  std::string encode(const Message& message) {
    return encode_message(message, 0, down_sequence.next_to_send(), 1);
  }
  /// What the master says to the session; launches stay here.
  std::string down() {
    std::string bytes;
    master.flush(Now{}, actions);
    const MasterActions caused = std::exchange(actions, {});
    for (const auto& item : caused.items()) {
      const auto* output = std::get_if<MasterOutput>(&item);
      const Send* send = output != nullptr ? std::get_if<Send>(output) : nullptr;
      if (send == nullptr) continue;
      if (send->connection == line) bytes += encode(send->message);
      if (const auto* launch = std::get_if<LaunchTasks>(&send->message)) launched = *launch;
      if (const auto* kill = std::get_if<KillTask>(&send->message)) killed = kill->task;
    }
    return bytes;
  }
  void update(const TaskId& task, TaskState state, std::uint64_t sequence) {
    StatusUpdate update;
    update.framework = launched.framework;
    update.task = task;
    update.state = state;
    update.sequence = sequence;
    update.exit_code = 0;
    master.step(Now{}, Received{agent_line, StatusUpdates{{update}}}, actions);
  }

  MasterCore master{MasterOptions{}};
  MasterActions actions;
  FrameReader reader;
  Sequencer up_sequence;
  Sequencer down_sequence;
  LaunchTasks launched;
  TaskId killed;
};

class CSessionApi : public ::testing::Test {
 protected:
  void SetUp() override {
    rm_session* made = nullptr;
    ASSERT_EQ(rm_session_new("test", "", "", &made, nullptr), RM_OK);
    session.reset(made);
  }
  rm_session* get() { return session.get(); }
  /// The types of the events that wait.
  std::vector<int> events() {
    std::vector<int> types;
    while (const rm_event* event = rm_session_next_event(get())) {
      types.push_back(rm_event_type(event));
    }
    return types;
  }
  std::string receive(std::string_view bytes) {
    return said(rm_session_received(get(), bytes.data(), bytes.size(), 0, problem), problem);
  }
  void connect() {
    ASSERT_EQ(rm_session_start(get(), 0, nullptr), RM_OK);
    ASSERT_EQ(rm_session_connected(get(), 0, nullptr), RM_OK);
    wire.up(get());
    ASSERT_EQ(receive(wire.down()), "ok");
  }

  CSession session;
  Wire wire;
  Problem problem;
};

TEST_F(CSessionApi, LaunchesAGangTogether) {
  connect();
  rm_session_next_event(get());
  rm_session_next_event(get());
  const rm_event* plain = rm_session_next_event(get());
  const std::uint64_t offer = rm_event_offer(plain);
  ASSERT_EQ(rm_session_decline(get(), &offer, 1, 0, nullptr, 0, nullptr), RM_OK);
  rm_demand* demand = nullptr;
  ASSERT_EQ(rm_demand_new(7, "*", "cpus:2", &demand, nullptr), RM_OK);
  ASSERT_EQ(rm_session_demand(get(), &demand, 1, 0, nullptr), RM_OK);
  rm_demand_free(demand);
  wire.up(get());
  ASSERT_EQ(receive(wire.down()), "ok");
  const rm_event* served = rm_session_next_event(get());
  while (served != nullptr && rm_event_demand(served) == 0) served = rm_session_next_event(get());
  ASSERT_NE(served, nullptr);
  EXPECT_EQ(rm_event_demand(served), 7u);
  EXPECT_EQ(rm_event_together(served), 1u);
  EXPECT_NE(rm_event_earmark(served), 0u);
  EXPECT_FALSE(rm_event_is_lent(served));
  EXPECT_EQ(rm_event_available_until_ns(served), RM_NO_TIME);
  const std::uint64_t id = rm_event_offer(served);

  rm_task* made = nullptr;
  ASSERT_EQ(rm_task_new("t-1", "cpus:2", "true", &made, nullptr), RM_OK);
  const CTask task(made);
  ASSERT_EQ(rm_task_set_release_by(made, 1'800'000'000'000'000'000, nullptr), RM_OK);
  const rm_task* const tasks[] = {made};
  rm_launch* launch = nullptr;
  ASSERT_EQ(rm_launch_new(&launch, nullptr), RM_OK);
  ASSERT_EQ(rm_launch_add(launch, &id, 1, tasks, 1, nullptr), RM_OK);
  EXPECT_EQ(said(rm_session_accept_together(get(), launch, 0, 0, problem), problem), "ok");
  EXPECT_EQ(rm_session_accept_together(get(), nullptr, 0, 0, nullptr), RM_INVALID_ARGUMENT);
  EXPECT_EQ(rm_launch_add(launch, &id, 1, nullptr, 1, nullptr), RM_INVALID_ARGUMENT);
  rm_launch_free(launch);
  wire.up(get());
  ASSERT_EQ(receive(wire.down()), "ok");
  ASSERT_EQ(wire.launched.tasks.size(), 1u);
  EXPECT_EQ(wire.launched.tasks[0].release_by, WallTime{1'800'000'000'000'000'000});
}

TEST_F(CSessionApi, LaunchesATaskAndHearsOfItsEnd) {
  connect();
  EXPECT_EQ(rm_event_type(rm_session_next_event(get())), RM_EVENT_CONNECT);
  EXPECT_EQ(rm_event_framework(rm_session_next_event(get())), 1u);
  EXPECT_TRUE(rm_session_is_subscribed(get()));
  EXPECT_EQ(rm_session_framework(get()), 1u);
  const rm_event* offer = rm_session_next_event(get());
  ASSERT_EQ(rm_event_type(offer), RM_EVENT_OFFER);
  EXPECT_STREQ(rm_event_resources(offer), "cpus:2");
  EXPECT_STREQ(rm_event_attributes(offer), "rack:r7");
  EXPECT_STREQ(rm_event_hostname(offer), "host");
  EXPECT_EQ(rm_event_time_ns(offer), 30 * second);
  const std::uint64_t id = rm_event_offer(offer);

  rm_task* made = nullptr;
  ASSERT_EQ(rm_task_new("t-1", "cpus:1", "", &made, nullptr), RM_OK);
  const CTask task(made);
  const char* const arguments[] = {"-l", "/tmp"};
  ASSERT_EQ(rm_task_set_program(made, "ls", arguments, 2, nullptr), RM_OK);
  ASSERT_EQ(rm_task_set_environment(made, "A", "b", nullptr), RM_OK);
  const rm_task* const tasks[] = {made};
  ASSERT_EQ(said(rm_session_accept(get(), &id, 1, tasks, 1, 60 * second, 0, problem), problem),
            "ok");
  wire.up(get());
  ASSERT_EQ(receive(wire.down()), "ok");
  ASSERT_EQ(wire.launched.tasks.size(), 1u);
  EXPECT_EQ(wire.launched.tasks[0].command.arguments, (std::vector<std::string>{"-l", "/tmp"}));
  EXPECT_EQ(wire.launched.tasks[0].command.environment.at("A"), "b");

  ASSERT_EQ(rm_session_kill(get(), "t-1", RM_NO_TIME, 0, nullptr), RM_OK);
  wire.up(get());
  ASSERT_EQ(receive(wire.down()), "ok");
  EXPECT_EQ(wire.killed, "t-1");
  EXPECT_EQ(rm_session_next_deadline(get()), 5 * second);

  wire.update("t-1", TaskState::finished, 1);
  ASSERT_EQ(receive(wire.down()), "ok");
  const rm_event* update = rm_session_next_event(get());
  ASSERT_EQ(rm_event_type(update), RM_EVENT_UPDATE);
  EXPECT_STREQ(rm_event_state(update), "finished");
  EXPECT_TRUE(rm_event_is_terminal(update));
  EXPECT_EQ(rm_event_exit_code(update), 0);
  ASSERT_EQ(rm_session_acknowledge(get(), rm_event_task(update), rm_event_agent(update),
                                   rm_event_sequence(update), 0, nullptr),
            RM_OK);
  wire.up(get());
  EXPECT_TRUE(wire.master.check_invariants().empty());
}

TEST_F(CSessionApi, BytesComeInAnyPortions) {
  ASSERT_EQ(rm_session_start(get(), 0, nullptr), RM_OK);
  ASSERT_EQ(rm_session_connected(get(), 0, nullptr), RM_OK);
  wire.up(get());
  for (const char byte : wire.down()) ASSERT_EQ(receive({&byte, 1}), "ok");
  EXPECT_EQ(events(), (std::vector<int>{RM_EVENT_CONNECT, RM_EVENT_OPENED, RM_EVENT_OFFER}));
}

TEST_F(CSessionApi, ConnectsAgainAfterALoss) {
  connect();
  events();
  ASSERT_EQ(rm_session_closed(get(), 0, nullptr), RM_OK);
  EXPECT_EQ(events(), (std::vector<int>{RM_EVENT_OFFER_ENDED, RM_EVENT_LOST}));
  std::size_t size = 1;
  rm_session_outgoing(get(), &size);
  EXPECT_EQ(size, 0u);
  const std::int64_t deadline = rm_session_next_deadline(get());
  ASSERT_LT(deadline, second);
  ASSERT_EQ(rm_session_tick(get(), deadline, nullptr), RM_OK);
  EXPECT_EQ(events(), std::vector<int>{RM_EVENT_CONNECT});
  ASSERT_EQ(rm_session_unavailable(get(), deadline, nullptr), RM_OK);
  EXPECT_GT(rm_session_next_deadline(get()), deadline);
}

TEST_F(CSessionApi, BytesThatNoMasterSendsEndTheSessionAndNothingElse) {
  connect();
  events();
  std::string flipped = wire.encode(FrameworkError{});
  flipped.back() ^= 1;
  EXPECT_EQ(receive(flipped).substr(0, 15), "corrupt: frame:");
  EXPECT_EQ(events(), (std::vector<int>{RM_EVENT_CLOSE, RM_EVENT_OFFER_ENDED, RM_EVENT_LOST}));
  // What still lay in the socket is of a connection that is over.
  EXPECT_EQ(receive(wire.encode(FrameworkError{})), "ok");
  EXPECT_FALSE(rm_session_is_subscribed(get()));
  ASSERT_EQ(rm_session_connected(get(), second, nullptr), RM_OK);
  EXPECT_EQ(receive("garbage that is as long as the header of a frame"),
            "corrupt: frame: magic: need 826690898, got 1651663207");
}

TEST_F(CSessionApi, AGapIsAnErrorAndARepetitionIsNot) {
  connect();
  const std::string once = wire.encode(AgentLost{AgentId{1}, true});
  EXPECT_EQ(receive(once + once), "ok");
  const std::vector<int> heard = events();
  EXPECT_EQ(heard.back(), RM_EVENT_AGENT_LOST);
  EXPECT_EQ(heard.size(), 4u);
  (void)wire.down_sequence.next_to_send();
  EXPECT_EQ(receive(wire.encode(FrameworkError{})), "corrupt: frame 5: comes after 3");
  rm_session_closed(get(), 0, nullptr);
}

TEST_F(CSessionApi, CallsOutOfOrderAreErrors) {
  const auto before = [&](rm_code code) {
    EXPECT_EQ(said(code, problem), "failed_precondition: session: has not started");
  };
  before(rm_session_connected(get(), 0, problem));
  before(rm_session_tick(get(), 0, problem));
  before(rm_session_received(get(), "x", 1, 0, problem));
  before(rm_session_revive(get(), "", 0, problem));
  EXPECT_EQ(rm_session_next_deadline(get()), RM_NO_TIME);
  ASSERT_EQ(rm_session_set_framework(get(), 7, nullptr), RM_OK);
  ASSERT_EQ(rm_session_remember(get(), "old", 3, nullptr), RM_OK);
  ASSERT_EQ(rm_session_start(get(), 0, nullptr), RM_OK);
  ASSERT_EQ(rm_session_connected(get(), 0, nullptr), RM_OK);
  EXPECT_EQ(rm_session_framework(get()), 7u);
  EXPECT_EQ(said(rm_session_start(get(), 0, problem), problem),
            "failed_precondition: session: has started already");
  EXPECT_EQ(rm_session_set_seed(get(), 1, nullptr), RM_FAILED_PRECONDITION);
  EXPECT_EQ(rm_session_connected(get(), 0, nullptr), RM_FAILED_PRECONDITION);
  EXPECT_EQ(rm_session_unavailable(get(), 0, nullptr), RM_FAILED_PRECONDITION);
  EXPECT_EQ(rm_session_sent(get(), 1'000'000, nullptr), RM_INVALID_ARGUMENT);
}

TEST_F(CSessionApi, BadRequestsAreRefusedBeforeTheyAreSent) {
  connect();
  wire.up(get());
  const std::uint64_t offer = 1;
  const rm_task* const nothing[] = {nullptr};
  EXPECT_EQ(said(rm_session_accept(get(), &offer, 1, nothing, 1, 0, 0, problem), problem),
            "invalid_argument: task: is null");
  EXPECT_EQ(rm_session_accept(get(), nullptr, 1, nullptr, 0, 0, 0, nullptr), RM_INVALID_ARGUMENT);
  EXPECT_EQ(rm_session_accept(get(), &offer, 1, nullptr, 3, 0, 0, nullptr), RM_INVALID_ARGUMENT);
  EXPECT_EQ(rm_session_kill(get(), "../x", 0, 0, nullptr), RM_INVALID_ARGUMENT);
  EXPECT_EQ(rm_session_decline(get(), &offer, 1, -1, nullptr, 0, nullptr), RM_INVALID_ARGUMENT);
  EXPECT_EQ(rm_session_suppress(get(), "a//b", 0, nullptr), RM_INVALID_ARGUMENT);
  EXPECT_EQ(rm_session_acknowledge(get(), "t", 0, 1, 0, nullptr), RM_INVALID_ARGUMENT);
  rm_task* made = nullptr;
  EXPECT_EQ(rm_task_new("-x", "cpus:1", "", &made, nullptr), RM_INVALID_ARGUMENT);
  ASSERT_EQ(rm_task_new("x", "cpus:1", "", &made, nullptr), RM_OK);
  const CTask task(made);
  const std::string data(1 << 20, 'x');
  EXPECT_EQ(rm_task_set_data(made, data.data(), data.size() + 1, nullptr), RM_RESOURCE_EXHAUSTED);
  ASSERT_EQ(rm_task_set_data(made, data.data(), data.size(), nullptr), RM_OK);
  const rm_task* const tasks[] = {made};
  EXPECT_EQ(rm_session_accept(get(), &offer, 1, tasks, 1, 0, 0, nullptr), RM_RESOURCE_EXHAUSTED);
  std::size_t size = 1;
  rm_session_outgoing(get(), &size);
  EXPECT_EQ(size, 0u);
}

TEST(CNull, SessionsTasksAndEventsOfNothing) {
  EXPECT_EQ(rm_session_new(nullptr, "", "", nullptr, nullptr), RM_INVALID_ARGUMENT);
  EXPECT_EQ(rm_session_start(nullptr, 0, nullptr), RM_INVALID_ARGUMENT);
  EXPECT_EQ(rm_session_received(nullptr, "x", 1, 0, nullptr), RM_INVALID_ARGUMENT);
  EXPECT_EQ(rm_session_sent(nullptr, 0, nullptr), RM_INVALID_ARGUMENT);
  EXPECT_EQ(rm_session_kill(nullptr, "x", 0, 0, nullptr), RM_INVALID_ARGUMENT);
  EXPECT_EQ(rm_session_teardown(nullptr, 0, nullptr), RM_INVALID_ARGUMENT);
  EXPECT_EQ(rm_task_set_data(nullptr, nullptr, 0, nullptr), RM_INVALID_ARGUMENT);
  EXPECT_EQ(rm_session_next_event(nullptr), nullptr);
  EXPECT_EQ(rm_event_type(nullptr), 0);
  EXPECT_STREQ(rm_event_task(nullptr), "");
  EXPECT_EQ(rm_event_exit_code(nullptr), RM_NO_EXIT_CODE);
  std::size_t size = 1;
  EXPECT_NE(rm_event_data(nullptr, &size), nullptr);
  EXPECT_EQ(size, 0u);
  EXPECT_EQ(rm_session_next_deadline(nullptr), RM_NO_TIME);
  rm_session_free(nullptr);
  rm_task_free(nullptr);
}

}  // namespace
}  // namespace librm
