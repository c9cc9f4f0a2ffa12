// Carries the election's actions to ZooKeeper, and its answers back.
#include "librm/runtime/zookeeper_elector.hpp"

#include <zookeeper/zookeeper.h>

#include <asio/io_context.hpp>
#include <deque>
#include <utility>

#include "librm/runtime/asio_ports.hpp"
#include "librm/runtime/clock.hpp"
#include "zookeeper_client.hpp"

namespace librm {
namespace {

using election_event::Failed;

Failed failed(const ZookeeperUrl& url, Failed::Request request, int code, const char* what) {
  Failed event;
  event.request = request;
  switch (code) {
    case ZNONODE:
      event.why = Failed::Why::no_path;
      return event;
    case ZCONNECTIONLOSS:
    case ZOPERATIONTIMEOUT:
    case ZSESSIONEXPIRED:
    case ZSESSIONMOVED:
    case ZINVALIDSTATE:
    case ZCLOSING:
      event.why = Failed::Why::lost;
      return event;
    default:
      break;
  }
  const bool forbidden = code == ZNOAUTH || code == ZAUTHFAILED || code == ZINVALIDACL;
  event.why = Failed::Why::refused;
  event.error.code = forbidden ? ErrorCode::permission_denied : ErrorCode::io_error;
  event.error.message = to_string(url) + ": " + what + ": ";
  if (!forbidden) {
    event.error.message += zerror(code);
  } else if (url.user.empty()) {
    event.error.message += "not allowed without a user and a password";
  } else {
    event.error.message += "not allowed as user " + url.user + ": is the password right?";
  }
  return event;
}

}  // namespace

struct ZookeeperElector::State : std::enable_shared_from_this<State> {
  State(asio::io_context& loop, ZookeeperElectorOptions chosen, ElectorCallbacks hooks)
      : io(loop),
        options(std::move(chosen)),
        callbacks(std::move(hooks)),
        core(options.self.has_value()),
        deadline(loop, [this] { note(election_event::Tick{}); }) {}

  void start();
  void stop();
  void note(ElectionEvent event);
  void drain();
  void on_session(int state);
  void log(std::string line);

  void act(const election_action::OpenSession&) { client->open(); }
  void act(const election_action::List&);
  void act(const election_action::MakePath&);
  void act(const election_action::Create&);
  void act(const election_action::Read&);
  void act(const election_action::Confirm&);
  void act(const election_action::Elected&);
  void act(const election_action::Deposed&);
  void act(const election_action::Changed&);
  void act(const election_action::Report&);

  asio::io_context& io;
  const ZookeeperElectorOptions options;
  ElectorCallbacks callbacks;
  ElectionCore core;
  std::shared_ptr<runtime_detail::ZookeeperClient> client;
  std::deque<ElectionEvent> events;
  runtime_detail::LogLimiter limiter;
  std::optional<Error> reported;  // of what the core knows nothing about
  std::deque<std::string> lines;
  bool stopped = false;
  DeadlineTimer deadline;
};

void ZookeeperElector::State::start() {
  if (client || stopped) return;
  runtime_detail::ZookeeperClient::Handlers handlers;
  handlers.on_session = [this](int state) { on_session(state); };
  handlers.on_group = [this] { events.push_back(election_event::GroupChanged{}); };
  handlers.on_unresolved = [this](Error error) {
    if (reported != error && callbacks.on_error) callbacks.on_error(error);
    reported = std::move(error);
  };
  handlers.on_log = [this](std::string line) { log(std::move(line)); };
  handlers.has_notes = [this] { return !events.empty(); };
  handlers.on_turn = [self = weak_from_this()] {
    if (const auto state = self.lock()) state->drain();
  };
  client = std::make_shared<runtime_detail::ZookeeperClient>(
      io, options.url, options.session_timeout, std::move(handlers));
  client->open();
}

void ZookeeperElector::State::stop() {
  stopped = true;
  callbacks = {};
  events.clear();
  lines.clear();
  if (client) client->close();
}

void ZookeeperElector::State::note(ElectionEvent event) {
  events.push_back(std::move(event));
  if (client) client->kick();
}

void ZookeeperElector::State::drain() {
  while (!lines.empty()) {
    const std::string line = std::move(lines.front());
    lines.pop_front();
    if (callbacks.on_log) callbacks.on_log(line);
  }
  while (!events.empty()) {
    const ElectionEvent event = std::move(events.front());
    events.pop_front();
    std::vector<ElectionAction> actions;
    core.step(read_clocks().mono, event, actions);
    for (const ElectionAction& action : actions) {
      if (stopped) return;
      std::visit([this](const auto& specific) { act(specific); }, action);
    }
  }
  if (stopped) return;
  Deadline next;
  next.mono = core.next_deadline();
  if (next.mono) deadline.wake_at(next);
}

void ZookeeperElector::State::on_session(int state) {
  if (state == ZOO_CONNECTED_STATE) {
    reported.reset();
    events.push_back(election_event::Connected{client->session(), client->timeout()});
  } else if (state == ZOO_EXPIRED_SESSION_STATE) {
    events.push_back(election_event::Expired{});
  } else if (state == ZOO_AUTH_FAILED_STATE) {
    Error error = failed(options.url, Failed::Request::list, ZAUTHFAILED, "log in").error;
    if (reported != error && callbacks.on_error) callbacks.on_error(error);
    reported = std::move(error);
    events.push_back(election_event::Expired{});
  } else {
    events.push_back(election_event::Disconnected{});
  }
}

void ZookeeperElector::State::log(std::string line) {
  if (auto text = limiter.line(read_clocks().mono, std::move(line))) {
    lines.push_back(std::move(*text));
  }
}

// --- actions that ask ---

void ZookeeperElector::State::act(const election_action::List&) {
  client->list([this](int code, std::vector<std::string> names) {
    if (code == ZOK) {
      events.push_back(election_event::Listed{std::move(names)});
    } else {
      events.push_back(failed(options.url, Failed::Request::list, code, "list masters"));
    }
  });
}

void ZookeeperElector::State::act(const election_action::MakePath&) {
  client->make_path([this](int code) {
    if (code == ZOK) {
      events.push_back(election_event::Created{});
    } else {
      events.push_back(failed(options.url, Failed::Request::make_path, code, "create the path"));
    }
  });
}

void ZookeeperElector::State::act(const election_action::Create&) {
  client->create_member(
      node_prefix(client->session()), encode_member(*options.self), [this](int code) {
        if (code == ZOK) {
          events.push_back(election_event::Created{});
        } else {
          events.push_back(
              failed(options.url, Failed::Request::create, code, "contend below the path"));
        }
      });
}

void ZookeeperElector::State::act(const election_action::Read& action) {
  client->read(action.name, [this, name = action.name](int code, std::string text) {
    if (code == ZOK) {
      events.push_back(election_event::WasRead{name, std::move(text)});
    } else if (code == ZNONODE) {
      events.push_back(election_event::WasRead{name, std::nullopt});
    } else {
      events.push_back(failed(options.url, Failed::Request::read, code, "read a master"));
    }
  });
}

void ZookeeperElector::State::act(const election_action::Confirm& action) {
  const Instant sent = read_clocks().mono;
  client->confirm(action.name, [this, sent](int code, bool exists) {
    if (code == ZOK) {
      events.push_back(election_event::Confirmed{sent, exists});
    } else {
      events.push_back(failed(options.url, Failed::Request::confirm, code, "confirm the lead"));
    }
  });
}

// --- actions that tell; the owner may stop or destroy the elector in each ---

void ZookeeperElector::State::act(const election_action::Elected&) {
  if (const auto callback = callbacks.on_elected) callback();
}

void ZookeeperElector::State::act(const election_action::Deposed& action) {
  if (const auto callback = callbacks.on_deposed) callback(action.reason);
}

void ZookeeperElector::State::act(const election_action::Changed&) {
  if (const auto callback = callbacks.on_change) callback(core.election());
}

void ZookeeperElector::State::act(const election_action::Report& action) {
  if (const auto callback = callbacks.on_error) callback(action.error);
}

// --- the owner's side ---

ZookeeperElector::ZookeeperElector(asio::io_context& io, ZookeeperElectorOptions options,
                                   ElectorCallbacks callbacks)
    : state_(std::make_shared<State>(io, std::move(options), std::move(callbacks))) {}

ZookeeperElector::~ZookeeperElector() { stop(); }

void ZookeeperElector::start() { state_->start(); }
void ZookeeperElector::stop() { state_->stop(); }
const Election& ZookeeperElector::election() const { return state_->core.election(); }

bool ZookeeperElector::leading() const {
  return !state_->stopped && state_->core.leading(read_clocks().mono);
}

Instant ZookeeperElector::lease_until() const {
  return state_->stopped ? Instant{} : state_->core.lease_until();
}

}  // namespace librm
