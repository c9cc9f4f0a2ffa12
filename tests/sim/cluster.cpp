// Builds the cluster, and plays the people and init systems around it.
#include "cluster.hpp"

#include <algorithm>
#include <utility>

#include "librm/base/check.hpp"
#include "librm/sim/host.hpp"
#include "librm/sim/network.hpp"

namespace rm_sim {

using namespace librm;

namespace {

constexpr std::uint64_t percent = 100;
constexpr Duration long_work_max = seconds(120);
/// After the repair, until targets are judged.
constexpr Duration last_targets = seconds(90);

}  // namespace

Cluster::Cluster(const Scenario& scenario, std::uint64_t seed, std::FILE* trace)
    : scenario_(scenario), world_(seed), oracle_(world_, log_), faults_(world_, scenario_.faults) {
  world_.trace_to(trace);
  world_.trace("scenario", describe(scenario_));
  log_.on_start([this](const sim::TaskTruth& truth) { oracle_.on_start(truth); });
  log_.on_end([this](const sim::TaskTruth& truth) { oracle_.on_end(truth); });
  world_.on_change([this](sim::Node& node) { oracle_.on_change(node); });
  client_ = std::make_unique<Client>(world_, scenario_, [this] { return find_front_end(); });
  client_->on_acknowledged([this](const std::string& key, const std::vector<batch::JobId>& jobs) {
    oracle_.on_acknowledged(key, jobs);
  });
  build_masters();
  build_agents();
  build_frameworks();
  if (scenario_.targeted_schedules == 0) return;
  LIBRM_CHECK(election_ != nullptr, "who leads must be known to who judges targets");
  targets_ = std::make_unique<Targets>(
      world_, scenario_, log_, *election_, [this] { return find_front_end(); },
      [this] { return leader(); });
  for (const Agent& agent : agents_) targets_->add(*agent.node);
}

void Cluster::build_masters() {
  journal_ = std::make_unique<sim::Disk>(world_, "journal", scenario_.disk);
  journal_->on_commit([this](Lsn, const RecordEntry& entry) {
    oracle_.on_commit(entry);
    if (++leader_commits_ == scenario_.crash_leader_at) crash_soon(leader());
    if (targets_) targets_->on_commit(entry);
  });
  for (std::uint32_t i = 1; i <= scenario_.candidates; ++i) {
    build_master(world_.add_host("h" + std::to_string(i)));
  }
  if (scenario_.candidates > 0) {
    election_ = std::make_unique<Election>(world_, masters_, scenario_.session);
    election_->on_change([this](const sim::Host& host) {
      for (const Agent& agent : agents_) {
        if (agent.host == &host) agent.node->post(MasterChanged{});
      }
    });
    return;
  }
  for (int i = 1; i <= 2; ++i) {
    sim::Host& host = world_.add_host("m" + std::to_string(i));
    host.set_drift(world_.random().between(-200, 200));
    build_master(host);
    faults_.add_process(*masters_.back(), [this] { ensure_leader(); });
    faults_.add_host(host, [this] { ensure_leader(); });
    faults_.add_to_network(host);
  }
}

void Cluster::build_master(sim::Host& host) {
  batch::BatchOptions batch;
  batch.framework.name = "batch";
  batch.framework.failover_timeout = seconds(7 * 24 * 3600);
  masters_.push_back(&world_.add<ClusterNode>(
      host, "master-" + std::to_string(masters_.size() + 1), *journal_, scenario_.master, batch,
      [this](ClusterNode&, const batch::BatchOutput& output) { take(output); }));
}

void Cluster::take(const batch::BatchOutput& output) {
  const auto* changed = std::get_if<batch::JobChanged>(&output);
  if (changed != nullptr && changed->task_state == TaskState::unreachable) {
    oracle_.mark("attempt unreachable");
  }
  client_->receive(output);
  if (targets_) targets_->receive(output);
}

sim::TaskBehaviour Cluster::draw_behaviour(Prng& random, const TaskStart& start) const {
  if (const auto runs = Targets::duration_of(start.command)) {
    sim::TaskBehaviour behaviour;
    behaviour.runs = *runs;
    return behaviour;
  }
  sim::TaskBehaviour behaviour;
  behaviour.runs = milliseconds(random.between(1, to_ms(scenario_.task_runs_max)));
  if (start.command.value == long_work) {
    behaviour.runs = behaviour.runs + milliseconds(random.between(1, to_ms(long_work_max)));
  }
  if (random.chance(scenario_.fails_percent, percent)) {
    behaviour.exit_code = static_cast<std::int32_t>(random.between(1, 255));
    if (random.chance(1, 4)) behaviour.signal = 11;
  }
  behaviour.start_fails = random.chance(scenario_.start_fails_percent, percent);
  behaviour.ignores_term = random.chance(scenario_.ignores_term_percent, percent);
  behaviour.dies_after = milliseconds(random.between(1, 500));
  return behaviour;
}

void Cluster::build_agents() {
  for (const Scenario::Agent& plan : scenario_.agents) {
    const std::string name = std::to_string(agents_.size() + 1);
    Agent& agent = agents_.emplace_back();
    const bool shared = agents_.size() <= scenario_.candidates;
    agent.host = shared ? &masters_[agents_.size() - 1]->host() : &world_.add_host("h" + name);
    agent.host->set_drift(plan.drift_ppm);
    agent.disk = std::make_unique<sim::Disk>(world_, "disk-" + name, scenario_.disk);
    agent.shepherd = &world_.add<sim::Shepherd>(*agent.host, "shepherd-" + name, log_);
    agent.shepherd->set_behaviour(
        [this](Prng& random, const TaskStart& start) { return draw_behaviour(random, start); });
    agent.shepherd->set_crash_in_spawn(scenario_.crash_in_spawn_ppm);
    AgentOptions options;
    options.hostname = agent.host->name();
    options.total = plan.total;
    options.attributes = plan.attributes;
    options.work_dir = "/var/lib/rm-agent";
    options.reconnect_max = scenario_.reconnect_max;
    options.seed = world_.random().next();
    agent.node = &world_.add<sim::AgentNode>(
        *agent.host, "agent-" + name, *agent.disk, *agent.shepherd, options,
        [this, host = agent.host] { return find_master(*host); });
    agent.disk->on_commit([this, node = agent.node](Lsn, const RecordEntry& entry) {
      oracle_.on_agent_commit(*node, entry);
      if (++agent_commits_ == scenario_.crash_agent_at) crash_soon(node);
    });
    faults_.add_process(*agent.node);
    // Its agent starts it again.
    if (scenario_.unreliable_shepherds) faults_.add_process(*agent.shepherd, [] {});
    faults_.add_host(*agent.host, [node = agent.node] { node->start(); });
    faults_.add_to_network(*agent.host);
  }
}

void Cluster::build_frameworks() {
  for (std::uint32_t i = 1; i <= scenario_.frameworks; ++i) {
    const std::string name = "framework-" + std::to_string(i);
    sim::Host& host = world_.add_host("f" + std::to_string(i));
    Framework& framework = frameworks_.emplace_back();
    framework.disk = std::make_unique<sim::Disk>(world_, "disk-" + name, scenario_.disk);
    sim::WorkloadOptions options;
    options.info.name = name;
    options.info.failover_timeout = scenario_.framework_failover;
    options.info.roles = {"team", "team/r" + std::to_string(i)};
    options.release_after = scenario_.release_after;
    options.reserve_every = scenario_.reserve_every;
    options.gangs = scenario_.gangs;
    options.gang = scenario_.gang;
    options.gang.role = "team/r" + std::to_string(i);
    options.tasks = scenario_.framework_tasks;
    options.task_resources =
        Resources::scalar("cpus", Amount{500}) + Resources::scalar("mem", Amount::units(64));
    options.task_prefix = name;
    options.seed = world_.random().next();
    framework.node = &world_.add<sim::WorkloadNode>(host, name, *framework.disk, options,
                                                    [this, &host] { return find_master(host); });
    faults_.add_process(*framework.node);
    faults_.add_to_network(host);
  }
}

/// Once its record is durable, before it hears of it.
void Cluster::crash_soon(sim::Node* node) {
  if (node == nullptr) return;
  faults_.counted("crash at a write");
  world_.after(Duration{}, [this, node] {
    node->crash();
    if (dynamic_cast<ClusterNode*>(node) != nullptr) return;
    world_.after(world_.draw(milliseconds(10), seconds(5)), [node] { node->start(); });
  });
}

// --- people and init systems ---

ClusterNode* Cluster::leader() const {
  for (ClusterNode* master : masters_) {
    if (master->owns_disk()) return master;
  }
  return nullptr;
}

/// News of a change of leader travel slowly: in trouble, any of the addresses may be tried.
sim::Node* Cluster::find_master(const sim::Host& from) {
  if (election_) return election_->known_at(from);
  ClusterNode* found = leader();
  if (!trouble_ || world_.random().chance(1, 2)) return found;
  return masters_[world_.random().below(masters_.size())];
}

/// People ask any of the hosts.
ClusterNode* Cluster::find_front_end() {
  const ClusterNode& asked = *masters_[world_.random().below(masters_.size())];
  if (!election_) return static_cast<ClusterNode*>(find_master(asked.host()));
  ClusterNode* known = election_->known_at(asked.host());
  const bool passes = known != nullptr && asked.host().up() &&
                      world_.network().passes(asked.host(), known->host()) &&
                      world_.network().passes(known->host(), asked.host());
  return passes ? known : nullptr;
}

void Cluster::ensure_leader() {
  if (election_ || leader() != nullptr) return;
  const std::size_t first = world_.random().below(masters_.size());
  for (std::size_t i = 0; i < masters_.size(); ++i) {
    ClusterNode* master = masters_[(first + i) % masters_.size()];
    master->start();
    if (leader() != nullptr) return;
  }
}

/// The other machine takes over while the old leader may live on, and believe that it leads.
void Cluster::fail_over() {
  if (election_) return election_->expire();
  ClusterNode* old = leader();
  ClusterNode* next = masters_[old == masters_[0] ? 1 : 0];
  if (old == nullptr || next->running() || !next->host().up()) return;
  world_.trace("people", "fail over from " + old->name() + " to " + next->name());
  oracle_.mark("failover");
  next->start();
  world_.after(world_.draw(milliseconds(1), seconds(60)), [old, life = old->life()] {
    if (old->life() == life && !old->owns_disk()) old->crash();
  });
}

/// A machine is broken beyond repair, an operator says so, and a new one takes its place.
void Cluster::give_up_agent() {
  Agent& agent = agents_[world_.random().below(agents_.size())];
  if (!agent.node->running() || !agent.node->core().id()) return;
  const AgentId id = agent.node->core().id();
  world_.trace("people", "give up " + to_string(id));
  oracle_.mark("agent given up");
  agent.host->crash();
  agent.disk->wipe();
  oracle_.on_wiped(*agent.node);
  given_up_.push_back(id);
}

void Cluster::break_disk() {
  if (leader() == nullptr) return;
  oracle_.mark("disk failed");
  journal_->fail_next(Error{ErrorCode::io_error, "journal: no space left on device"});
}

/// Nearly: there is room for what was taken, and nothing new is, until there is more.
void Cluster::fill_disk() {
  ClusterNode* node = leader();
  if (node == nullptr) return;
  world_.trace(node->name(), "has a disk that is nearly full");
  oracle_.mark("disk nearly full");
  node->post_master(StorageLow{true});
  world_.after(world_.draw(seconds(1), seconds(40)), [node, life = node->life()] {
    if (node->life() == life) node->post_master(StorageLow{false});
  });
}

void Cluster::repeat(Duration mean, void (Cluster::*action)()) {
  if (mean <= Duration{}) return;
  world_.after(world_.draw(milliseconds(1), mean * 2), [this, mean, action] {
    if (!trouble_) return;
    (this->*action)();
    repeat(mean, action);
  });
}

/// Starts again what ended by itself, and repeats what was asked of a leader that did not do it.
void Cluster::supervise() {
  if (trouble_) {
    world_.after(world_.draw(milliseconds(100), seconds(10)), [this] { ensure_leader(); });
  } else {
    ensure_leader();
  }
  for (Agent& agent : agents_) {
    if (agent.node->running() || (trouble_ && !agent.node->stopped())) continue;
    if (!agent.host->up()) continue;
    agent.node->start();
  }
  if (ClusterNode* node = leader(); node != nullptr) {
    for (const AgentId id : given_up_) {
      const auto& known = node->core().master().agents();
      const auto found = known.find(id);
      if (found == known.end() || found->second.record.status == AgentStatus::gone) continue;
      node->post_master(MarkAgentGone{id.value, id});
    }
    if (!trouble_) end_maintenance(*node);
    if (!trouble_) end_roles(*node);
    if (world_.random().chance(1, 20)) node->compact();
  }
  world_.after(seconds(3), [this] { supervise(); });
}

void Cluster::heal() {
  world_.trace("people", "all is repaired");
  world_.set_rare(false);
  upgrade_all();
  trouble_ = false;
  client_->heal();
  for (ClusterNode* master : masters_) {
    if (!election_ && master->running() && !master->owns_disk()) master->crash();
  }
  journal_->repair();
  faults_.stop();
  ensure_leader();
  healed_at_ = world_.now();
}

// --- a run ---

Outcome Cluster::run() {
  if (election_) election_->start();
  ensure_leader();
  for (Agent& agent : agents_) {
    world_.after(world_.draw_skewed(Duration{}, seconds(5)), [&agent] { agent.node->start(); });
  }
  for (Framework& framework : frameworks_) framework.node->start();
  world_.set_rare(scenario_.rare_branches);
  world_.set_mixed_versions(scenario_.mixed_versions);
  if (scenario_.mixed_versions) oracle_.mark("versions mixed");
  client_->start();
  if (targets_) targets_->start();
  for (const Deed& deed : scenario_.deeds) plan(deed);
  faults_.start();
  repeat(scenario_.failover, &Cluster::fail_over);
  repeat(scenario_.agent_gone, &Cluster::give_up_agent);
  repeat(scenario_.disk_failure, &Cluster::break_disk);
  repeat(scenario_.full_disk, &Cluster::fill_disk);
  repeat(scenario_.maintenance, &Cluster::maintain);
  repeat(scenario_.roles, &Cluster::change_roles);
  supervise();
  world_.run_until(world_.now() + scenario_.trouble);
  if (world_.violations().empty() && (!scenario_.heal_group_first || heal_group())) heal();
  if (targets_ && world_.run_until(world_.now() + last_targets)) targets_->check_end();
  if (come_to_rest()) {
    stay_at_rest();
    if (ClusterNode* node = leader(); node != nullptr) oracle_.check_end(*node);
  }
  Outcome outcome;
  outcome.violations = world_.violations();
  outcome.trace_hash = world_.trace_hash();
  outcome.time = world_.now() - Instant{};
  outcome.healing = healing_;
  outcome.steps = world_.steps();
  outcome.leader_commits = leader_commits_;
  outcome.agent_commits = agent_commits_;
  outcome.marks = oracle_.marks();
  outcome.marks["fault"] += faults_.count();
  outcome.marks["frame"] += world_.network().frames();
  outcome.marks["task start"] += log_.tasks().size();
  outcome.marks["submission repeated"] += client_->repeated();
  outcome.marks["submission refused"] += client_->refused();
  for (const auto& [branch, count] : world_.rare()) outcome.marks["rare: " + branch] += count;
  for (const auto& [kind, count] : faults_.kinds()) outcome.marks["fault: " + kind] += count;
  if (!targets_) return outcome;
  outcome.unmet = targets_->excused();
  for (const auto& [what, count] : targets_->counts()) outcome.marks[what] += count;
  return outcome;
}

}  // namespace rm_sim
