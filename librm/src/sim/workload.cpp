// Bodies of the simulated framework.
#include "librm/sim/workload.hpp"

#include <algorithm>
#include <set>
#include <sstream>
#include <utility>

#include "librm/sim/network.hpp"

namespace librm::sim {

namespace {

constexpr std::uint16_t workload_stream = 1001;

FrameworkOptions session_options(const WorkloadOptions& options) {
  FrameworkOptions session;
  session.info = options.info;
  session.seed = options.seed;
  return session;
}

/// What covers the scalars that are wanted: each by one entry, the first that is large enough.
/// Empty where something has none.
Resources pick(const Resources& rest, const Resources& wanted) {
  Resources picked;
  for (const Resource& want : wanted.list()) {
    const auto entry = std::find_if(rest.list().begin(), rest.list().end(), [&](const auto& have) {
      return have.name == want.name && !have.volume && amount_of(have) >= amount_of(want);
    });
    if (entry == rest.list().end()) return {};
    Resource part = *entry;
    part.value = want.value;
    picked.add(std::move(part));
  }
  return picked;
}

}  // namespace

WorkloadCore::WorkloadCore(WorkloadOptions options)
    : options_(std::move(options)), session_(session_options(options_)) {}

void WorkloadCore::step(Now now, const Event& event, Actions& out) {
  FrameworkActions actions;
  if (const auto* of_session = std::get_if<FrameworkEvent>(&event)) {
    session_.step(now, *of_session, actions);
  } else {
    session_.step(now, Tick{}, actions);
  }
  take(now, actions, out);
}

void WorkloadCore::take(Now now, FrameworkActions& actions, Actions& out) {
  for (FrameworkOutput& action : actions) {
    if (auto* opened = std::get_if<SessionOpened>(&action)) {
      suppressed_ = false;
      if (framework_ != opened->framework) persist({opened->framework, {}, {}, {}}, out);
    } else if (auto* offer = std::get_if<OfferReceived>(&action)) {
      offers_[offer->offer.id] = std::move(*offer);
    } else if (auto* ended = std::get_if<OfferEnded>(&action)) {
      offers_.erase(ended->offer);
    } else if (auto* update = std::get_if<UpdateReceived>(&action)) {
      on_update(now, update->update, out);
    } else if (auto* refused = std::get_if<CallRefused>(&action)) {
      // Any other fatal word is about a session that a newer one has replaced.
      const ErrorCode code = refused->error.code;
      void_id_ = void_id_ || (refused->error.fatal && (code == ErrorCode::failed_precondition ||
                                                       code == ErrorCode::not_found));
    } else if (std::holds_alternative<ConnectMaster>(action) ||
               std::holds_alternative<Send>(action) || std::holds_alternative<Close>(action)) {
      out.output(std::move(action));
    }
  }
}

void WorkloadCore::on_update(Now now, const StatusUpdate& update, Actions& out) {
  const auto found = tasks_.find(update.task);
  const bool known = found != tasks_.end() && !is_terminal(found->second.state);
  // Nobody knows a task that was launched: its agent is gone, so it is over.
  const bool over = is_terminal(update.state) || update.state == TaskState::unknown;
  if (known && over) {
    WorkloadRecord record = found->second;
    record.state = is_terminal(update.state) ? update.state : TaskState::lost;
    // Its time was over before it began: the agent's clock is far ahead of ours.
    clocks_differ_ = clocks_differ_ || (update.state == TaskState::dropped &&
                                        update.reason == TaskReason::release_by_reached);
    persist(std::move(record), out);
  }
  if (update.sequence > 0) {
    call(now, AcknowledgeUpdates{{{update.framework, update.task, update.agent, update.sequence}}},
         out);
  }
}

void WorkloadCore::call(Now now, Message message, Actions& out) {
  FrameworkActions actions;
  session_.step(now, Call{std::move(message)}, actions);
  take(now, actions, out);
}

void WorkloadCore::flush(Now now, Actions& out) {
  std::set<EarmarkId> earmarks;
  for (const auto& [id, offer] : std::exchange(offers_, {})) {
    if (offer.offer.earmark) {
      offers_.emplace(id, offer);
      earmarks.insert(*offer.offer.earmark);
      continue;
    }
    std::vector<Operation> operations;
    std::vector<TaskInfo> tasks = fill(now, offer, operations, out);
    if (tasks.empty()) {
      call(now, DeclineOffers{{id}, options_.refuse_for, "nothing to launch there"}, out);
    } else {
      call(now, AcceptOffers{{id}, std::move(tasks), options_.refuse_for, std::move(operations)},
           out);
    }
  }
  for (const EarmarkId earmark : earmarks) answer_gang(now, earmark, out);
  declare(now, out);
  if (!session_.subscribed() || enough() == suppressed_) return;
  suppressed_ = enough();
  if (suppressed_) {
    call(now, SuppressOffers{}, out);
  } else {
    call(now, ReviveOffers{}, out);
  }
}

bool WorkloadCore::enough() const {
  return live_ + ended_ >= options_.tasks && gangs_done_ >= options_.gangs;
}

// --- gangs ---

std::optional<DemandId> WorkloadCore::wanted_gang() const {
  if (gangs_done_ >= options_.gangs) return std::nullopt;
  if (!gangs_.empty() && gangs_.rbegin()->second.live > 0) return std::nullopt;
  return DemandId{gangs_.empty() ? 1 : gangs_.rbegin()->first + 1u};
}

void WorkloadCore::declare(Now now, Actions& out) {
  const std::optional<DemandId> wanted = wanted_gang();
  if (!session_.subscribed() || wanted == declared_) return;
  declared_ = wanted;
  DeclareDemands declare;
  if (wanted) {
    declare.demands.push_back(options_.gang);
    declare.demands.back().id = *wanted;
  }
  call(now, std::move(declare), out);
}

/// All of its nodes at once, or none.
void WorkloadCore::answer_gang(Now now, EarmarkId earmark, Actions& out) {
  const std::vector<OfferReceived> offers = session_.offers_of(earmark);
  if (offers.empty()) return;  // more are on their way
  for (const OfferReceived& offer : offers) offers_.erase(offer.offer.id);
  const auto gang = static_cast<std::uint32_t>(offers.front().offer.demand.value);
  if (wanted_gang() != offers.front().offer.demand || offers.size() < options_.gang.count_min) {
    DeclineOffers decline;
    for (const OfferReceived& offer : offers) decline.offers.push_back(offer.offer.id);
    decline.reason = "not wanted any more";
    call(now, std::move(decline), out);
    return;
  }
  AcceptTogether accept;
  accept.refuse_for = options_.refuse_for;
  for (const OfferReceived& offer : offers) {
    const std::string id = options_.task_prefix + ".g" + std::to_string(gang) + "." +
                           std::to_string(accept.parts.size() + 1);
    Resources part;
    for (const auto& [name, amount] : options_.gang.shape.amounts) {
      part += Resources::scalar(name, amount);
    }
    part = pick(offer.offer.resources, part);
    accept.parts.push_back(
        {{offer.offer.id}, {make_task(now, offer.offer, id, std::move(part), gang, out)}});
  }
  call(now, std::move(accept), out);
}

void WorkloadCore::end_gang(std::uint32_t gang) {
  const Gang& ended = gangs_.at(gang);
  if (ended.live == 0 && !ended.broken) ++gangs_done_;
}

// --- plain tasks ---

std::vector<TaskInfo> WorkloadCore::fill(Now now, const OfferReceived& offer,
                                         std::vector<Operation>& operations, Actions& out) {
  std::vector<TaskInfo> tasks;
  Resources rest = offer.offer.resources;
  while (live_ + ended_ < options_.tasks) {
    Resources part = pick(rest, options_.task_resources);
    if (part.empty()) break;
    rest -= part;
    const bool plain = part == options_.task_resources && offer.offer.role != any_role;
    const bool reserves = plain && tasks.empty() && options_.reserve_every > 0 &&
                          tasks_.size() % options_.reserve_every == 0;
    if (reserves) {
      operations.push_back({OperationKind::reserve, part, {offer.offer.role, true, "", {}}, {}});
      part = convert(operations.back())->converted;
    }
    const std::string id = options_.task_prefix + "." + std::to_string(tasks_.size() + 1);
    tasks.push_back(make_task(now, offer.offer, id, std::move(part), 0, out));
  }
  return tasks;
}

TaskInfo WorkloadCore::make_task(Now now, const OfferInfo& offer, TaskId id, Resources resources,
                                 std::uint32_t gang, Actions& out) {
  TaskInfo info;
  if (options_.release_after > Duration{} && !clocks_differ_) {
    info.release_by = now.wall + options_.release_after;
    info.release_by = std::min(offer.available_until.value_or(*info.release_by), *info.release_by);
  }
  info.id = std::move(id);
  info.name = info.id;
  info.role = offer.role;
  info.resources = std::move(resources);
  info.command.value = "true";
  persist({framework_, info.id, offer.agent, offer.incarnation, TaskState::staging, gang}, out);
  return info;
}

void WorkloadCore::persist(Record record, Actions& out) {
  apply(record);
  out.record(std::move(record));
}

void WorkloadCore::apply(const Record& record) {
  if (record.task.empty()) {
    framework_ = record.framework;
    return;
  }
  const auto [entry, is_new] = tasks_.try_emplace(record.task, record);
  if (is_new) entry->second.state = TaskState::staging;
  const bool ends = is_terminal(record.state) && !is_terminal(entry->second.state);
  const bool ran = record.state != TaskState::dropped;
  entry->second = record;
  if (record.gang != 0) {
    Gang& gang = gangs_[record.gang];
    if (is_new) ++gang.live;
    if (!ends) return;
    --gang.live;
    gang.broken = gang.broken || !ran;
    return end_gang(record.gang);
  }
  if (is_new) ++live_;
  if (!ends) return;
  --live_;
  if (ran) ++ended_;
}

void WorkloadCore::resume(Now now, Actions& out) {
  session_.set_framework_id(framework_);
  for (const auto& [id, task] : tasks_) {
    if (!is_terminal(task.state)) session_.remember({id, task.agent, task.incarnation});
  }
  FrameworkActions actions;
  session_.start(now, actions);
  take(now, actions, out);
}

std::vector<WorkloadRecord> WorkloadCore::snapshot() const {
  std::vector<WorkloadRecord> records;
  if (framework_) records.push_back({framework_, {}, {}, {}});
  for (const auto& [id, task] : tasks_) records.push_back(task);
  return records;
}

std::vector<std::string> WorkloadCore::check_invariants() const {
  if (live_ + ended_ <= options_.tasks) return {};
  return {"more tasks than it was asked for: " + std::to_string(live_ + ended_)};
}

// Plain text: a framework's own format is nobody else's business.
RecordEntry WorkloadCodec::encode(const WorkloadRecord& record, Dialect) {
  std::ostringstream text;
  text << record.framework.value << ' ' << record.agent.value << ' ' << record.incarnation.value
       << ' ' << static_cast<int>(record.state) << ' ' << record.gang << ' ' << record.task;
  return {workload_stream, 1, 1, text.str(), 1};
}

Result<WorkloadRecord> WorkloadCodec::decode(const RecordEntry& entry) {
  std::istringstream text(entry.payload);
  WorkloadRecord record;
  int state = 0;
  text >> record.framework.value >> record.agent.value >> record.incarnation.value >> state >>
      record.gang;
  if (!text) return librm::fail(ErrorCode::corrupt, "a workload record: " + entry.payload);
  text >> record.task;
  record.state = static_cast<TaskState>(state);
  return record;
}

WorkloadNode::WorkloadNode(World& world, Host& host, std::string name, Disk& disk,
                           WorkloadOptions options, FindMaster find_master)
    : CoreNode(world, host, std::move(name), disk),
      options_(std::move(options)),
      find_master_(std::move(find_master)) {
  host.on_crash([&disk] { disk.host_crash(); });
}

std::unique_ptr<WorkloadCore> WorkloadNode::make_core() const {
  WorkloadOptions options = options_;
  options.seed = options_.seed + life();
  return std::make_unique<WorkloadCore>(std::move(options));
}

void WorkloadNode::perform(FrameworkOutput output) {
  if (auto* send = std::get_if<Send>(&output)) {
    world().network().send(*this, send->connection, send->message);
  } else if (auto* close = std::get_if<Close>(&output)) {
    world().network().close(*this, close->connection);
  } else if (Node* leader = find_master_(); leader != nullptr) {
    world().network().connect(*this, *leader, [this](std::optional<ConnectionId> connection) {
      if (connection) {
        post(FrameworkEvent(MasterConnected{*connection}));
      } else {
        post(FrameworkEvent(MasterUnavailable{"nobody answers"}));
      }
    });
  } else {
    after(milliseconds(1), [this] { post(FrameworkEvent(MasterUnavailable{"no leader"})); });
  }
}

void WorkloadNode::on_message(ConnectionId connection, Message message) {
  post(FrameworkEvent(Received{connection, std::move(message)}));
}

void WorkloadNode::on_closed(ConnectionId connection) { post(FrameworkEvent(Closed{connection})); }

}  // namespace librm::sim
