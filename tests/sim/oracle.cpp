// What must never happen: to running cores, to promises, and in the start log.
#include "oracle.hpp"

#include <algorithm>
#include <variant>

#include "librm/alloc/allocator.hpp"
#include "librm/sim/host.hpp"

namespace rm_sim {

using namespace librm;

namespace {

/// Replaying everything after every step would be most of the time of a run.
constexpr std::uint64_t changes_between_replays = 400;
constexpr std::uint64_t changes_between_allocator_checks = 8;

}  // namespace

Oracle::Oracle(sim::World& world, const sim::TaskLog& log) : world_(world), log_(log) {}

void Oracle::complain(const std::string& who, const std::vector<std::string>& wrong) {
  for (const std::string& text : wrong) world_.violation(who + ": " + text);
}

void Oracle::on_change(sim::Node& node) {
  if (!node.running()) return;
  if (auto* agent = dynamic_cast<sim::AgentNode*>(&node)) {
    on_agent(*agent);
  } else if (auto* cluster = dynamic_cast<ClusterNode*>(&node)) {
    on_cluster(*cluster);
  } else if (auto* workload = dynamic_cast<sim::WorkloadNode*>(&node)) {
    complain(workload->name(), workload->core().check_invariants());
    workloads_[workload->name()] = workload;
  }
  note_clock(node);
  if (++changes_ % changes_between_replays == 0) check_all();
}

void Oracle::note_clock(const sim::Node& node) {
  wall_highest_ = std::max(wall_highest_, node.host().now().wall);
}

void Oracle::on_agent(sim::AgentNode& agent) {
  const AgentCore& core = agent.core();
  complain(agent.name(), core.check_invariants());
  // What it has not yet written down it has not yet obeyed: no effect of it has left the process.
  const Epoch durable = epochs_[&agent];
  if (core.epoch_highest() < durable) {
    world_.violation(agent.name() + " obeys epoch " + std::to_string(core.epoch_highest()) +
                     " after " + std::to_string(durable));
  }
  if (core.registered() && agent.master() != nullptr &&
      agent.master_epoch() < core.epoch_highest()) {
    world_.violation(agent.name() + " is in a session of epoch " +
                     std::to_string(agent.master_epoch()) + " after it obeyed " +
                     std::to_string(core.epoch_highest()));
  }
  if (std::exchange(lives_[&agent], agent.life()) != agent.life()) check_replay(agent);
}

void Oracle::on_agent_commit(const sim::AgentNode& agent, const RecordEntry& entry) {
  Result<AgentCoreRecord> record = decode_agent_record(entry);
  if (!record) return world_.violation("cannot read a record: " + record.error().message);
  if (const auto* identity = std::get_if<AgentIdentityRecord>(&*record)) {
    epochs_[&agent] = std::max(epochs_[&agent], identity->epoch_highest);
  } else if (const auto* task = std::get_if<TaskLedgerRecord>(&*record)) {
    if (task->latest.reason == TaskReason::preempted) mark("task preempted");
    if (task->latest.reason != TaskReason::release_by_reached) return;
    mark("task told to let go");
    if (!task->info.release_by) {
      world_.violation(agent.name() + ": task " + task->info.id + " had no release_by");
    }
  }
}

void Oracle::on_wiped(const sim::AgentNode& agent) { epochs_.erase(&agent); }

void Oracle::on_cluster(ClusterNode& node) {
  complain(node.name(), node.core().check_invariants());
  if (changes_ % changes_between_allocator_checks == 0) check_allocator(node);
  if (!node.core().master().quotas().empty()) check_limits(node);
  check_gangs(node);
  check_offers(node);
  if (node.core().master().recovery()) mark("offers wait for agents");
  if (std::exchange(lives_[&node], node.life()) == node.life()) return;
  mark("leader started");
  check_replay(node);
  check_promises(node);
}

/// As the allocator's own check, but from the outside: nothing is offered that is not there.
void Oracle::check_allocator(const ClusterNode& node) {
  for (const Allocator::AgentView& view : node.core().master().allocator().agents()) {
    const Resources taken = view.held + view.offered;
    const auto& agents = node.core().master().agents();
    const auto agent = agents.find(view.agent);
    if (agent != agents.end() && agent->second.service.service != AgentService::normal &&
        !view.offered.empty()) {
      world_.violation(node.name() + ": " + to_string(view.agent) + " is " +
                       to_string(agent->second.service.service) + ", and offered");
    }
    if (view.total->contains(taken) && taken + view.free == *view.total) continue;
    world_.violation(node.name() + ": " + to_string(view.agent) + ": held " + to_string(view.held) +
                     ", offered " + to_string(view.offered) + ", free " + to_string(view.free) +
                     " are not the total " + to_string(*view.total));
  }
}

/// No offer and no launch puts a role above its limit, or further above.
void Oracle::check_limits(const ClusterNode& node) {
  const MasterCore& master = node.core().master();
  Causes causes{&node, node.life(), master.quotas(), {}, {}};
  for (const auto& [id, agent] : master.agents()) {
    causes.sessions[id] = {agent.session, agent.in_allocator};
    if (!agent.made.empty()) causes.made[id] = to_string(agent.made);
  }
  const bool excused = !(causes == causes_);
  causes_ = std::move(causes);
  const auto before = std::exchange(over_limit_, {});
  for (const Allocator::RoleView& role : master.allocator().roles()) {
    if (!role.quota) continue;
    for (const auto& [scalar, limit] : role.quota->limits) {
      const Amount over = role.consumed.amount(scalar) - limit;
      if (over.milli <= 0) continue;
      mark("role over its limit");
      over_limit_[{role.role, scalar}] = over.milli;
      const auto known = before.find({role.role, scalar});
      const std::int64_t was = known == before.end() ? 0 : known->second;
      if (excused || over.milli <= was) continue;
      world_.violation(node.name() + ": role " + role.role + " has " +
                       to_string(role.consumed.amount(scalar)) + " of " + scalar + ", at most " +
                       to_string(limit));
    }
  }
}

/// A gang is launched as a whole or not at all.
void Oracle::check_gangs(const ClusterNode& node) {
  if (!node.core().master().allocator().earmarks().empty()) mark("earmark");
  for (const auto& [id, framework] : node.core().master().frameworks()) {
    const auto workload = workloads_.find(framework.record.info.name);
    if (workload == workloads_.end() || !workload->second->running()) continue;
    std::map<std::uint32_t, std::size_t> launched;
    for (const auto& [task_id, task] : framework.tasks) {
      const auto known = workload->second->core().tasks().find(task_id);
      const bool just_now =
          task.latest.state == TaskState::staging && task.latest.source == UpdateSource::master;
      if (known == workload->second->core().tasks().end() || known->second.gang == 0) continue;
      if (just_now) ++launched[known->second.gang];
    }
    for (const auto& [gang, count] : launched) {
      if (!gangs_.insert({id, gang}).second) continue;
      const auto& tasks = workload->second->core().tasks();
      const auto wanted = std::count_if(tasks.begin(), tasks.end(), [number = gang](const auto& t) {
        return t.second.gang == number;
      });
      mark(count > 1 ? "gang launched" : "gang of one launched");
      if (static_cast<std::size_t>(wanted) == count) continue;
      world_.violation(node.name() + ": of gang " + std::to_string(gang) + " of " + to_string(id) +
                       " " + std::to_string(count) + " tasks are launched, of " +
                       std::to_string(wanted));
    }
  }
}

/// Who was offered something hears when it is over, or counts on it in vain.
void Oracle::check_offers(const ClusterNode& node) {
  // More is about to be said, or has just been answered, or is not said any more.
  if (!node.driver().idle() || node.failed()) return;
  const MasterCore& master = node.core().master();
  for (const auto& [id, framework] : master.frameworks()) {
    if (!framework.connection) continue;
    const auto told = node.offered().find(*framework.connection);
    if (told == node.offered().end()) continue;
    for (const OfferId offer : told->second) {
      const Offer* known = master.allocator().find_offer(offer);
      if (known != nullptr && known->framework == id) continue;
      world_.violation(node.name() + ": offer " + to_string(offer) + " is over, and " +
                       to_string(id) + " was not told");
    }
  }
}

void Oracle::check_promises(const ClusterNode& node) {
  for (const auto& [key, ids] : promised_) {
    for (const batch::JobId id : ids) {
      if (node.core().batch().find(id) != nullptr) continue;
      world_.violation(node.name() + " forgot job " + std::to_string(id) + " of submission " + key);
    }
  }
}

template <class N>
void Oracle::check_replay(const N& node) {
  if (!node.owns_disk()) return;
  if (std::optional<std::string> difference = node.check_replay()) world_.violation(*difference);
}

void Oracle::check_all() {
  for (const auto& node : world_.nodes()) {
    if (!node->running()) continue;
    if (const auto* agent = dynamic_cast<const sim::AgentNode*>(node.get())) check_replay(*agent);
    if (const auto* master = dynamic_cast<const ClusterNode*>(node.get())) check_replay(*master);
    if (const auto* framework = dynamic_cast<const sim::WorkloadNode*>(node.get())) {
      check_replay(*framework);
    }
  }
}

void Oracle::on_acknowledged(const std::string& key, const std::vector<batch::JobId>& jobs) {
  const auto [entry, is_new] = promised_.try_emplace(key, jobs);
  if (!is_new && entry->second != jobs) {
    world_.violation("submission " + key + " was answered with different ids");
  }
  for (const batch::JobId job : jobs) {
    if (jobs_.find(job) == jobs_.end()) {
      world_.violation("job " + std::to_string(job) + " of " + key +
                       " was acknowledged before it was durable");
    }
  }
}

void Oracle::on_start(const sim::TaskTruth& truth) {
  if (truth.starts > 1) {
    world_.violation("task " + truth.key.task + " of " + to_string(truth.key.framework) +
                     " was started " + std::to_string(truth.starts) + " times");
  }
  if (truth.key.framework != framework_) return;
  const std::optional<batch::TaskName> name = batch::parse_task_id(truth.key.task);
  if (!name) return world_.violation("task " + truth.key.task + " has no name of a job");
  const KnownJob* job = known(name->job, "started as " + truth.key.task);
  if (job == nullptr) return;
  const auto element = job->elements.find(name->index);
  if (element == job->elements.end()) {
    return world_.violation("task " + truth.key.task + " is of no element of its job");
  }
  const auto& attempts = element->second.attempts;
  const auto attempt = attempts.find({name->run, name->attempt});
  if (attempt == attempts.end()) {
    return world_.violation("task " + truth.key.task + " was started without a durable intent");
  }
  if (is_terminal(attempt->second.latest.state)) {
    world_.violation("task " + truth.key.task + " was started after it was known to be " +
                     to_string(attempt->second.latest.state));
  }
  check_edges(*job, *name);
  check_overlap(*job, element->second, truth, *name);
}

void Oracle::on_end(const sim::TaskTruth& truth) {
  if (truth.host_died) mark("task ended with its host");
}

/// Two attempts of one run at one time only where the policy says so.
void Oracle::check_overlap(const KnownJob& known, const KnownElement& element,
                           const sim::TaskTruth& truth, const batch::TaskName& name) {
  for (const auto& [number, attempt] : element.attempts) {
    if (number.first != name.run || number.second == name.attempt) continue;
    const sim::TaskTruth* other =
        truth_of(batch::task_id({name.job, name.index, number.first, number.second}));
    if (other == nullptr || !other->alive) continue;
    mark("attempts overlap");
    if (known.job.spec.lost == batch::LostPolicy::rerun) continue;
    world_.violation("task " + truth.key.task + " was started while " + other->key.task +
                     " runs, against policy '" + batch::to_string(known.job.spec.lost) + "'");
  }
}

/// What edges are on record was checked when it was recorded.
void Oracle::check_edges(const KnownJob& entry, const batch::TaskName& name) {
  for (const batch::Edge& edge : entry.job.edges) {
    if (edge.kind == batch::EdgeKind::corresponding && name.index) continue;  // when launched
    const bool anyway = entry.job.spec.on_dependency_failed == batch::OnDependencyFailed::run;
    if (edge.state == batch::EdgeState::satisfied ||
        (edge.state == batch::EdgeState::unsatisfiable && anyway)) {
      continue;
    }
    world_.violation("task " + batch::task_id(name) + " was started before its parent " +
                     std::to_string(edge.parent) + " allows it (" + batch::to_string(edge.kind) +
                     ")");
  }
}

/// At its first launch the same element of each parent has finished.
void Oracle::check_corresponding(const KnownJob& entry, const batch::ElementId& id) {
  for (const batch::Edge& edge : entry.job.edges) {
    if (edge.kind != batch::EdgeKind::corresponding || !id.index) continue;
    if (entry.freed.contains(Ranges({{*id.index, *id.index}}))) continue;
    const KnownElement* parent = known(batch::ElementId{edge.parent, id.index}, "a parent");
    if (parent == nullptr) return;
    const bool anyway = entry.job.spec.on_dependency_failed == batch::OnDependencyFailed::run;
    mark("element after element");
    if (parent->state == batch::JobState::finished || (is_terminal(parent->state) && anyway)) {
      continue;
    }
    world_.violation("job " + to_string(id) + " is launched before the same element of job " +
                     std::to_string(edge.parent) + " has finished");
  }
}

bool Oracle::was_started(const KnownJob& entry) const {
  for (const auto& [index, element] : entry.elements) {
    for (const auto& [number, attempt] : element.attempts) {
      if (truth_of(batch::task_id({entry.job.id, index, number.first, number.second}))) return true;
    }
  }
  return false;
}

batch::JobState Oracle::KnownJob::state() const {
  using batch::JobState;
  if (!job.spec.array) return elements.at(std::nullopt).state;
  const auto some = [&](JobState state) {
    return std::any_of(elements.begin(), elements.end(),
                       [&](const auto& entry) { return entry.second.state == state; });
  };
  for (const JobState state : {JobState::running, JobState::pending, JobState::held,
                               JobState::failed, JobState::cancelled}) {
    if (some(state)) return state;
  }
  return JobState::finished;
}

bool Oracle::satisfied(const batch::Edge& edge) const {
  const auto parent = jobs_.find(edge.parent);
  if (parent == jobs_.end()) return false;
  const batch::JobState state = parent->second.state();
  switch (edge.kind) {
    case batch::EdgeKind::ok:
      return state == batch::JobState::finished;
    case batch::EdgeKind::corresponding:
    case batch::EdgeKind::any:
      return is_terminal(state);
    case batch::EdgeKind::not_ok:
      return state == batch::JobState::failed || state == batch::JobState::cancelled;
    case batch::EdgeKind::start:
      return was_started(parent->second);
  }
  return false;
}

const sim::TaskTruth* Oracle::truth_of(const std::string& task) const {
  return framework_ ? log_.find({*framework_, task}) : nullptr;
}

bool Oracle::terminal(batch::JobId job) const {
  const auto found = jobs_.find(job);
  return found != jobs_.end() && is_terminal(found->second.state());
}

void Oracle::check_end(const ClusterNode& leader) {
  check_all();
  check_promises(leader);
  for (const auto& [id, job] : leader.core().batch().jobs()) {
    const KnownJob* durable = known(id, "listed by the leader");
    if (durable == nullptr) continue;
    if (durable->state() != job.state) {
      world_.violation("job " + std::to_string(id) + ": the leader says " +
                       batch::to_string(job.state) + ", its records " +
                       batch::to_string(durable->state()));
    }
    mark(std::string(job.elements ? "array " : "job ") + batch::to_string(job.state));
  }
  for (const auto& [name, schedule] : schedules_) {
    const auto& expression = schedule.spec.expression;
    if (expression && expression->repetitions && schedule.decided != *expression->repetitions) {
      world_.violation("schedule " + name + ": " + std::to_string(schedule.decided) + " of " +
                       std::to_string(*expression->repetitions) + " occurrences are decided");
    }
  }
  if (log_.alive() > 0) {
    world_.violation(std::to_string(log_.alive()) + " processes run on when all is over");
  }
}

}  // namespace rm_sim
