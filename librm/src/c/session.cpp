// The C interface of a framework's session: bytes and time in, bytes and events out.
#include "session.hpp"

#include <iterator>

#include "librm/wire/message.hpp"

namespace c = librm::c;
using namespace librm;

namespace {

/// A frame has at most 16 MiB; what a caller says in one call stays well below.
constexpr std::size_t call_bytes_max = 8u << 20;

template <class... Fs>
struct Overload : Fs... {
  using Fs::operator()...;
};
template <class... Fs>
Overload(Fs...) -> Overload<Fs...>;

Now at(std::int64_t now_ns) { return Now{c::instant(now_ns, "now"), {}}; }

/// The core, which exists once the session has started.
FrameworkCore& core_of(rm_session* session) {
  auto& core = c::need(session, "session").core;
  if (!core) c::raise(RM_FAILED_PRECONDITION, "session: has not started");
  return *core;
}
rm_session& not_started(rm_session* session) {
  if (c::need(session, "session").core) {
    c::raise(RM_FAILED_PRECONDITION, "session: has started already");
  }
  return *session;
}

/// Adds to `bytes` what they take in a message, at most call_bytes_max.
std::vector<TaskInfo> tasks_of(const rm_task* const* tasks, size_t count, std::size_t& bytes) {
  if (count > 0) c::need(tasks, "tasks");
  std::vector<TaskInfo> infos;
  for (std::size_t i = 0; i < count; ++i) {
    const TaskInfo& info = c::need(tasks[i], "task").info;
    bytes += piece_size(info) + to_string(info.resources).size() * 4;
    if (text_bytes(info) > task_bytes_max || bytes > call_bytes_max) {
      c::raise(RM_RESOURCE_EXHAUSTED, "task " + info.id + ": text of one task is at most " +
                                          std::to_string(task_bytes_max) +
                                          " bytes, of one launch at most " +
                                          std::to_string(call_bytes_max));
    }
    infos.push_back(info);
  }
  return infos;
}

// --- outputs of the core to events ---

rm_event event(int type) {
  rm_event made;
  made.type = type;
  return made;
}

rm_event offer_event(const OfferReceived& output) {
  rm_event made = event(RM_EVENT_OFFER);
  made.offer = output.offer.id.value;
  made.agent = output.offer.agent.value;
  made.hostname = output.offer.hostname;
  made.role = output.offer.role;
  made.resources = to_string(output.offer.resources);
  made.attributes = to_string(output.offer.attributes);
  made.time_ns = output.expires.ns;
  made.lent = output.offer.lent;
  if (output.offer.available_until) made.available_until_ns = output.offer.available_until->ns;
  made.earmark = output.offer.earmark.value_or(EarmarkId{}).value;
  made.demand = output.offer.demand.value;
  made.together = output.offer.together;
  return made;
}

rm_event update_event(const StatusUpdate& update) {
  rm_event made = event(RM_EVENT_UPDATE);
  made.framework = update.framework.value;
  made.agent = update.agent.value;
  made.task = update.task;
  made.state = to_string(update.state);
  made.reason = to_string(update.reason);
  made.message = update.message;
  made.sequence = update.sequence;
  made.terminal = is_terminal(update.state);
  if (update.exit_code) made.exit_code = *update.exit_code;
  made.data = update.data;
  return made;
}

/// Sends what is to be sent, and tells the caller the rest.
void perform(rm_session& session, const FrameworkActions& outputs) {
  const auto tell = [&](rm_event made) { session.events.push_back(std::move(made)); };
  const Overload handle = {
      [&](const ConnectMaster&) { tell(event(RM_EVENT_CONNECT)); },
      [&](const Send& send) {
        if (!session.line || session.line->id != send.connection) return;
        session.outgoing +=
            encode_message(send.message, 0, session.line->sequencer.next_to_send(), 0);
      },
      [&](const Close& close) {
        if (session.line && session.line->id == close.connection) session.line.reset();
        rm_event made = event(RM_EVENT_CLOSE);
        made.message = close.reason;
        tell(std::move(made));
      },
      [&](const SessionOpened& opened) {
        rm_event made = event(RM_EVENT_OPENED);
        made.framework = opened.framework.value;
        tell(std::move(made));
      },
      [&](const SessionLost&) { tell(event(RM_EVENT_LOST)); },
      [&](const OfferReceived& received) { tell(offer_event(received)); },
      [&](const OfferEnded& ended) {
        rm_event made = event(RM_EVENT_OFFER_ENDED);
        made.offer = ended.offer.value;
        tell(std::move(made));
      },
      [&](const UpdateReceived& received) { tell(update_event(received.update)); },
      [&](const AgentNews& news) {
        rm_event made = event(RM_EVENT_AGENT_LOST);
        made.agent = news.lost.agent.value;
        made.number = news.lost.gone ? 1 : 0;
        tell(std::move(made));
      },
      [&](const CallRefused& refused) {
        rm_event made = event(RM_EVENT_REFUSED);
        made.number = static_cast<rm_code>(refused.error.code);
        made.message = refused.error.message;
        tell(std::move(made));
      },
      [&](const MessageReceived& received) {
        rm_event made = event(RM_EVENT_MESSAGE);
        made.agent = received.message.agent.value;
        made.executor = received.message.executor;
        made.data = received.message.data;
        tell(std::move(made));
      },
      [&](const InverseOfferReceived& received) {
        rm_event made = event(RM_EVENT_LEAVE);
        made.offer = received.offer.id.value;
        made.agent = received.offer.agent.value;
        made.hostname = received.offer.hostname;
        made.message = received.offer.reason;
        made.time_ns = received.offer.start.ns;
        tell(std::move(made));
      },
      [&](const InverseOfferEnded& ended) {
        rm_event made = event(RM_EVENT_LEAVE_ENDED);
        made.offer = ended.offer.value;
        tell(std::move(made));
      }};
  for (const FrameworkOutput& output : outputs) std::visit(handle, output);
}

void step(rm_session& session, Now now, const FrameworkEvent& what) {
  FrameworkActions outputs;
  session.core->step(now, what, outputs);
  perform(session, outputs);
}

void drop_line(rm_session& session) {
  session.line.reset();
  session.outgoing.clear();
}

/// The master broke the rules: the session is over, and a new one will be tried.
[[noreturn]] void break_off(rm_session& session, Now now, const Error& error) {
  const ConnectionId id = session.line->id;
  drop_line(session);
  rm_event made = event(RM_EVENT_CLOSE);
  made.message = error.message;
  session.events.push_back(std::move(made));
  step(session, now, Closed{id});
  c::raise(error);
}

/// True where the connection goes on.
void on_frame(rm_session& session, Now now, const Frame& frame) {
  const FrameHeader& header = frame.header;
  const std::string name = "frame " + std::to_string(header.request_id);
  if (header.channel != 0) {
    break_off(session, now,
              {ErrorCode::corrupt,
               name + ": channel " + std::to_string(header.channel) + ", this side has only 0"});
  }
  const Sequencer::Verdict verdict = session.line->sequencer.on_received(header.request_id);
  if (verdict == Sequencer::Verdict::duplicate) return;
  if (verdict == Sequencer::Verdict::gap) {
    break_off(session, now,
              {ErrorCode::corrupt,
               name + ": comes after " + std::to_string(session.line->sequencer.last_received())});
  }
  const ConnectionId id = session.line->id;
  if (header.number == 0) {  // the end of the channel, with a reason
    rm_event made = event(RM_EVENT_CLOSE);
    made.message = std::string(frame.payload.substr(0, 512));
    drop_line(session);
    session.events.push_back(std::move(made));
    return step(session, now, Closed{id});
  }
  auto message = decode_message(header, frame.payload);
  if (!message) break_off(session, now, message.error());
  step(session, now, Received{id, std::move(*message)});
}

/// One request of the framework.
template <class Make>
rm_code ask(rm_session* session, std::int64_t now_ns, rm_error** error, Make make) {
  return c::call(error, [&] {
    core_of(session);
    const Now now = at(now_ns);
    step(*session, now, Call{make()});
  });
}

std::set<std::string> roles_of(const char* given) {
  auto found = c::names(given, "roles");
  for (const std::string& role : found) c::take(check_role(role));
  return {std::make_move_iterator(found.begin()), std::make_move_iterator(found.end())};
}

TaskId task_id(const char* given) {
  TaskId id{c::text(given, "task")};
  c::take(validate_task_id(id));
  return id;
}

}  // namespace

// --- its life ---

rm_code rm_session_new(const char* name, const char* user, const char* roles, rm_session** out,
                       rm_error** error) {
  return c::call(error, [&] {
    rm_session*& made = c::need(out, "out");
    auto session = std::make_unique<rm_session>();
    session->options.info.name = c::text(name, "name");
    session->options.info.user = c::text(user, "user");
    std::set<std::string> wanted = roles_of(roles);
    if (!wanted.empty()) session->options.info.roles = std::move(wanted);
    made = session.release();
  });
}
void rm_session_free(rm_session* session) { delete session; }

rm_code rm_session_set_framework(rm_session* session, uint64_t framework, rm_error** error) {
  return c::call(error, [&] {
    not_started(session).options.framework = c::id<FrameworkId>(framework, "framework");
  });
}
rm_code rm_session_set_failover_timeout(rm_session* session, int64_t duration_ns,
                                        rm_error** error) {
  return c::call(error, [&] {
    not_started(session).options.info.failover_timeout =
        c::duration(duration_ns, "failover timeout");
  });
}
rm_code rm_session_set_seed(rm_session* session, uint64_t seed, rm_error** error) {
  return c::call(error, [&] { not_started(session).options.seed = seed; });
}
rm_code rm_session_remember(rm_session* session, const char* task, uint64_t agent,
                            rm_error** error) {
  return c::call(error, [&] {
    not_started(session).known.push_back({task_id(task), c::id<AgentId>(agent, "agent"), {}});
  });
}

// --- what happens to it ---

rm_code rm_session_start(rm_session* session, int64_t now_ns, rm_error** error) {
  return c::call(error, [&] {
    rm_session& started = not_started(session);
    const Now now = at(now_ns);
    FrameworkCore& core = started.core.emplace(started.options);
    for (const KnownTask& task : std::exchange(started.known, {})) core.remember(task);
    FrameworkActions outputs;
    core.start(now, outputs);
    perform(started, outputs);
  });
}
rm_code rm_session_connected(rm_session* session, int64_t now_ns, rm_error** error) {
  return c::call(error, [&] {
    core_of(session);
    if (session->line) c::raise(RM_FAILED_PRECONDITION, "session: is connected already");
    const Now now = at(now_ns);
    session->outgoing.clear();
    session->line.emplace();
    session->line->id = ConnectionId{++session->line_last};
    step(*session, now, MasterConnected{session->line->id});
  });
}
rm_code rm_session_unavailable(rm_session* session, int64_t now_ns, rm_error** error) {
  return c::call(error, [&] {
    core_of(session);
    const Now now = at(now_ns);
    if (session->line) c::raise(RM_FAILED_PRECONDITION, "session: is connected");
    step(*session, now, MasterUnavailable{});
  });
}
rm_code rm_session_received(rm_session* session, const void* bytes, size_t size, int64_t now_ns,
                            rm_error** error) {
  return c::call(error, [&] {
    core_of(session);
    const Now now = at(now_ns);
    const std::string_view portion = c::bytes_of(bytes, size, "bytes");
    if (!session->line) return;
    session->line->reader.feed(portion);
    while (session->line) {
      const auto frame = session->line->reader.next();
      if (!frame) break_off(*session, now, frame.error());
      if (!*frame) return;
      on_frame(*session, now, **frame);
    }
  });
}
rm_code rm_session_closed(rm_session* session, int64_t now_ns, rm_error** error) {
  return c::call(error, [&] {
    core_of(session);
    const Now now = at(now_ns);
    if (!session->line) return;
    const ConnectionId id = session->line->id;
    drop_line(*session);
    step(*session, now, Closed{id});
  });
}
rm_code rm_session_tick(rm_session* session, int64_t now_ns, rm_error** error) {
  return c::call(error, [&] {
    core_of(session);
    step(*session, at(now_ns), Tick{});
  });
}

int64_t rm_session_next_deadline(const rm_session* session) {
  if (session == nullptr || !session->core) return RM_NO_TIME;
  const auto deadline = session->core->next_deadline().mono;
  return deadline ? deadline->ns : RM_NO_TIME;
}
const void* rm_session_outgoing(const rm_session* session, size_t* size) {
  if (size != nullptr) *size = session == nullptr ? 0 : session->outgoing.size();
  return session == nullptr ? "" : session->outgoing.data();
}
rm_code rm_session_sent(rm_session* session, size_t size, rm_error** error) {
  return c::call(error, [&] {
    std::string& outgoing = c::need(session, "session").outgoing;
    if (size > outgoing.size()) {
      c::raise(RM_INVALID_ARGUMENT, "sent: " + std::to_string(size) + " bytes, outgoing were " +
                                        std::to_string(outgoing.size()));
    }
    outgoing.erase(0, size);
  });
}
uint64_t rm_session_framework(const rm_session* session) {
  if (session == nullptr) return 0;
  return session->core ? session->core->framework().value : session->options.framework.value;
}
int rm_session_is_subscribed(const rm_session* session) {
  return session != nullptr && session->core && session->core->subscribed() ? 1 : 0;
}

// --- what the framework asks ---

rm_code rm_session_accept(rm_session* session, const uint64_t* offers, size_t count,
                          const rm_task* const* tasks, size_t task_count, int64_t refuse_ns,
                          int64_t now_ns, rm_error** error) {
  return ask(session, now_ns, error, [&]() -> Message {
    AcceptOffers accept;
    accept.offers = c::offer_ids(offers, count);
    accept.refuse_for = c::duration(refuse_ns, "refuse");
    std::size_t bytes = 0;
    accept.tasks = tasks_of(tasks, task_count, bytes);
    return accept;
  });
}
rm_code rm_launch_new(rm_launch** out, rm_error** error) {
  return c::call(error, [&] { c::need(out, "out") = std::make_unique<rm_launch>().release(); });
}
void rm_launch_free(rm_launch* launch) { delete launch; }
rm_code rm_launch_add(rm_launch* launch, const uint64_t* offers, size_t count,
                      const rm_task* const* tasks, size_t task_count, rm_error** error) {
  return c::call(error, [&] {
    rm_launch& whole = c::need(launch, "launch");
    std::size_t bytes = whole.bytes;
    AcceptPart part;
    part.offers = c::offer_ids(offers, count);
    part.tasks = tasks_of(tasks, task_count, bytes);
    whole.parts.push_back(std::move(part));
    whole.bytes = bytes;
  });
}
rm_code rm_session_accept_together(rm_session* session, const rm_launch* launch, int64_t refuse_ns,
                                   int64_t now_ns, rm_error** error) {
  return ask(session, now_ns, error, [&]() -> Message {
    return AcceptTogether{c::need(launch, "launch").parts, c::duration(refuse_ns, "refuse")};
  });
}
rm_code rm_session_decline(rm_session* session, const uint64_t* offers, size_t count,
                           int64_t refuse_ns, const char* reason_or_null, int64_t now_ns,
                           rm_error** error) {
  return ask(session, now_ns, error, [&]() -> Message {
    std::string reason(reason_or_null == nullptr ? "" : c::text(reason_or_null, "reason"));
    return DeclineOffers{c::offer_ids(offers, count), c::duration(refuse_ns, "refuse"),
                         std::move(reason)};
  });
}
rm_code rm_session_kill(rm_session* session, const char* task, int64_t grace_ns, int64_t now_ns,
                        rm_error** error) {
  return ask(session, now_ns, error, [&]() -> Message {
    KillTask kill;
    kill.framework = session->core->framework();
    kill.task = task_id(task);
    if (grace_ns != RM_NO_TIME) kill.grace = c::duration(grace_ns, "grace");
    const auto known = session->core->tasks().find(kill.task);
    if (known != session->core->tasks().end()) kill.agent = known->second.agent;
    return kill;
  });
}
rm_code rm_session_acknowledge(rm_session* session, const char* task, uint64_t agent,
                               uint64_t sequence, int64_t now_ns, rm_error** error) {
  return ask(session, now_ns, error, [&]() -> Message {
    const UpdateAck ack{session->core->framework(), task_id(task), c::id<AgentId>(agent, "agent"),
                        sequence};
    return AcknowledgeUpdates{{ack}};
  });
}
rm_code rm_session_suppress(rm_session* session, const char* roles, int64_t now_ns,
                            rm_error** error) {
  return ask(session, now_ns, error, [&]() -> Message { return SuppressOffers{roles_of(roles)}; });
}
rm_code rm_session_revive(rm_session* session, const char* roles, int64_t now_ns,
                          rm_error** error) {
  return ask(session, now_ns, error, [&]() -> Message { return ReviveOffers{roles_of(roles)}; });
}
rm_code rm_session_demand(rm_session* session, const rm_demand* const* demands, size_t count,
                          int64_t now_ns, rm_error** error) {
  return ask(session, now_ns, error, [&]() -> Message {
    DeclareDemands declare{c::demands_of(demands, count)};
    std::size_t bytes = 0;
    for (const Demand& demand : declare.demands) {
      bytes += 512 + to_string(demand.shape).size() * 4 + demand.same.size() +
               to_string(demand.constraints).size() * 4;
      if (bytes > call_bytes_max) {
        c::raise(RM_RESOURCE_EXHAUSTED,
                 "demands: together at most " + std::to_string(call_bytes_max) + " bytes");
      }
    }
    return declare;
  });
}
rm_code rm_session_leave(rm_session* session, uint64_t offer, int will_leave,
                         const char* reason_or_null, int64_t now_ns, rm_error** error) {
  return ask(session, now_ns, error, [&]() -> Message {
    const auto id = c::id<InverseOfferId>(offer, "offer");
    if (will_leave != 0) return AcceptInverseOffers{{id}, {}};
    std::string reason(reason_or_null == nullptr ? "" : c::text(reason_or_null, "reason"));
    return DeclineInverseOffers{{id}, {}, std::move(reason)};
  });
}
rm_code rm_session_teardown(rm_session* session, int64_t now_ns, rm_error** error) {
  return ask(session, now_ns, error,
             [&]() -> Message { return TeardownFramework{session->core->framework()}; });
}
