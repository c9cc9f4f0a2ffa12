// Draws clusters, workloads and faults from a seed.
#include "scenario.hpp"

#include "librm/base/prng.hpp"

namespace rm_sim {

using namespace librm;

namespace {

Scenario::Agent draw_agent(Prng& random, std::uint64_t number) {
  Scenario::Agent agent;
  agent.total = Resources::scalar("cpus", Amount{1000 * random.between(2, 8)}) +
                Resources::scalar("mem", Amount::units(512 * random.between(4, 16)));
  if (random.chance(1, 2)) {
    const std::uint64_t first = 31000 + 100 * number;
    agent.total.add({.name = "ports", .value = Ranges({{first, first + random.below(20)}})});
  }
  agent.attributes["rack"] = "r" + std::to_string(number % 2);
  agent.drift_ppm = random.between(-200, 200);
  return agent;
}

/// Everything is a multiple of the heartbeat, as in a sensible configuration.
MasterOptions draw_master(Prng& random) {
  MasterOptions master;
  const Duration beat = milliseconds(500) * random.between(1, 8);
  master.heartbeat_interval = beat;
  master.agent_lease = beat * 3;
  master.agent_unreachable_after = beat * random.between(5, 8);
  master.agent_return_timeout = beat * random.between(6, 12);
  master.allocator.offer_timeout = seconds(random.between(3, 30));
  return master;
}

sim::NetworkOptions draw_network(Prng& random) {
  sim::NetworkOptions network;
  network.delay_max = milliseconds(random.between(1, 200));
  const auto rate = [&random](std::uint32_t most) {
    return random.chance(1, 2) ? 0u : static_cast<std::uint32_t>(random.below(most));
  };
  network.loss_ppm = rate(20'000);
  network.duplicate_ppm = rate(50'000);
  network.reorder_ppm = rate(20'000);
  network.corrupt_ppm = rate(3'000);
  network.reset_ppm = rate(10'000);
  return network;
}

/// Each kind of fault in half of the seeds, so that their combinations come up, too.
sim::FaultRates draw_faults(Prng& random) {
  sim::FaultRates rates;
  const auto every = [&random](std::int64_t least_seconds, std::int64_t most_seconds) {
    const bool some = random.chance(1, 2);
    const Duration mean = milliseconds(1000 * random.between(least_seconds, most_seconds));
    return some ? mean : Duration{};
  };
  rates.process_crash = every(2, 30);
  rates.host_crash = every(5, 60);
  rates.stall = every(5, 40);
  rates.partition = every(5, 40);
  rates.clog = every(5, 40);
  rates.wall_step = every(10, 60);
  rates.down_max = seconds(random.between(1, 120));
  rates.host_down_max = seconds(random.between(5, 90));
  rates.partition_max = seconds(random.between(5, 120));
  rates.network = draw_network(random);
  return rates;
}

/// What fits, when everything else is over.
void draw_gangs(Prng& random, Scenario& scenario) {
  Demand& gang = scenario.gang;
  gang.shape.amounts["cpus"] = Amount{500 * random.between(1, 4)};
  gang.shape.amounts["mem"] = Amount::units(64 * random.between(1, 16));
  auto nodes = static_cast<std::uint32_t>(scenario.agents.size());
  if (random.chance(1, 3)) {
    gang.same = "rack";
    nodes = (nodes + 1) / 2;
  }
  gang.count_min = 1 + static_cast<std::uint32_t>(random.below(nodes));
  gang.count_max = gang.count_min + static_cast<std::uint32_t>(random.below(3));
  if (scenario.release_after > Duration{} && random.chance(2, 3)) {
    gang.duration = scenario.release_after;
  }
  scenario.gangs = 1 + static_cast<std::uint32_t>(random.below(4));
  scenario.master.allocator.earmark_max = milliseconds(100) * (std::int64_t{1} << random.below(10));
}

}  // namespace

Scenario draw_scenario(std::uint64_t seed) {
  Prng random(seed * 2 + 1);
  Scenario scenario;
  const std::uint64_t agents = 1 + random.below(8);
  for (std::uint64_t i = 0; i < agents; ++i) scenario.agents.push_back(draw_agent(random, i));
  scenario.master = draw_master(random);
  scenario.disk.sync_max = milliseconds(random.between(1, 60));
  scenario.trouble = seconds(random.between(20, 240));
  scenario.jobs = 5 + static_cast<std::uint32_t>(random.below(56));
  scenario.frameworks = random.chance(1, 2) ? 0 : 1 + static_cast<std::uint32_t>(random.below(2));
  scenario.framework_tasks = 3 + static_cast<std::uint32_t>(random.below(20));
  scenario.framework_failover = seconds(random.chance(1, 3) ? random.between(5, 30) : 3600);
  scenario.task_runs_max = milliseconds(100) * (std::int64_t{1} << random.below(10));
  scenario.fails_percent = static_cast<std::uint32_t>(random.below(30));
  scenario.start_fails_percent = static_cast<std::uint32_t>(random.below(5));
  scenario.ignores_term_percent = static_cast<std::uint32_t>(random.below(50));
  scenario.cancel_percent = static_cast<std::uint32_t>(random.below(20));
  const bool calm = random.chance(1, 12);
  const sim::FaultRates faults = draw_faults(random);
  if (calm) return scenario;
  scenario.faults = faults;
  if (random.chance(1, 2)) scenario.failover = seconds(random.between(8, 60));
  if (random.chance(1, 4)) scenario.agent_gone = seconds(random.between(20, 90));
  if (random.chance(1, 4)) scenario.disk_failure = seconds(random.between(10, 60));
  scenario.answer_lost_percent = static_cast<std::uint32_t>(random.below(40));
  scenario.unreliable_shepherds = random.chance(1, 2);
  if (random.chance(1, 2)) scenario.crash_in_spawn_ppm = 10'000;
  if (random.chance(1, 2)) scenario.maintenance = seconds(random.between(2, 20));
  if (random.chance(1, 2)) scenario.roles = seconds(random.between(1, 15));
  if (random.chance(1, 2)) scenario.release_after = milliseconds(random.between(500, 30'000));
  if (random.chance(1, 2)) {
    scenario.reserve_every = 1 + static_cast<std::uint32_t>(random.below(4));
  }
  if (scenario.frameworks > 0 && random.chance(2, 3)) draw_gangs(random, scenario);
  if (random.chance(1, 3)) scenario.faults.swizzle = seconds(random.between(10, 60));
  scenario.rare_branches = random.chance(1, 2);
  scenario.heal_group_first = random.chance(1, 3);
  scenario.mixed_versions = random.chance(1, 3);
  if (random.chance(1, 4)) scenario.full_disk = seconds(random.between(10, 60));
  return scenario;
}

namespace {

/// One whole cycle: a partition that heals, then the same with what else a process may suffer.
void draw_chronos_deeds(Prng& random, Scenario& scenario) {
  const auto deed = [&scenario](Deed::Kind kind, Duration at, Duration time) -> Deed& {
    Deed& added = scenario.deeds.emplace_back();
    added.kind = kind;
    added.at = at;
    added.time = time;
    return added;
  };
  const auto span = [&random](std::int64_t low, std::int64_t high) {
    return milliseconds(random.between(1000 * low, 1000 * high));
  };
  Duration at = span(30, 90);
  Duration time = span(10, 200);
  deed(Deed::Kind::partition, at, time).groups = {2, 3};
  at = at + time + span(20, 60);
  time = span(60, 200);
  deed(Deed::Kind::partition, at, time).groups = {2, 3};
  const bool kills = random.chance(2, 3);
  const bool stalls = random.chance(2, 3);
  const bool restarts = random.chance(2, 3);
  const bool skews = random.chance(1, 2);
  for (std::uint64_t i = 1 + random.below(6); i > 0; --i) {
    const auto when = [&] { return at - seconds(20) + span(0, 60 + to_ms(time) / 1000); };
    if (kills) deed(Deed::Kind::kill, when(), {}).target = Deed::Target::leader;
    if (stalls) {
      const bool leader = random.chance(1, 2);
      deed(Deed::Kind::stall, when(), span(1, 30)).target =
          leader ? Deed::Target::leader : Deed::Target::agent;
    }
    if (restarts) deed(Deed::Kind::restart, when(), span(1, 10)).target = Deed::Target::agent;
  }
  if (skews) {
    Deed& skew = deed(Deed::Kind::skew, span(1, 300), span(20, 300));
    skew.number = 1 + static_cast<std::uint32_t>(random.below(scenario.agents.size()));
    skew.by = random.chance(1, 2) ? seconds(60) : seconds(-60);
  }
  scenario.trouble = at + time + seconds(60);
}

}  // namespace

Scenario draw_calm(std::uint64_t seed) {
  Prng random(seed * 2 + 1);
  Scenario scenario;
  for (std::uint64_t i = 0; i < 50; ++i) scenario.agents.push_back(draw_agent(random, i));
  scenario.master = draw_master(random);
  scenario.disk.sync_max = milliseconds(random.between(1, 60));
  scenario.faults.network.delay_max = milliseconds(random.between(1, 50));
  scenario.trouble = seconds(60);
  scenario.jobs = 20;
  scenario.framework_failover = seconds(3600);
  scenario.task_runs_max = seconds(20);
  scenario.reconnect_max = seconds(2);
  scenario.fails_percent = static_cast<std::uint32_t>(random.below(30));
  scenario.cancel_percent = static_cast<std::uint32_t>(random.below(20));
  return scenario;
}

Scenario draw_chronos(std::uint64_t seed) {
  Prng random(seed * 2 + 1);
  Scenario scenario;
  for (std::uint64_t i = 0; i < 5; ++i) scenario.agents.push_back(draw_agent(random, i));
  for (Scenario::Agent& agent : scenario.agents) agent.drift_ppm /= 10;
  MasterOptions& master = scenario.master;
  master.heartbeat_interval = seconds(1);
  master.agent_lease = seconds(3);
  master.agent_unreachable_after = seconds(5);
  master.agent_return_timeout = seconds(10);
  scenario.disk.sync_max = milliseconds(random.between(1, 60));
  scenario.faults.network.delay_max = milliseconds(random.between(1, 50));
  scenario.jobs = 0;
  scenario.candidates = 5;
  scenario.reconnect_max = seconds(2);
  scenario.targeted_schedules = 5 + static_cast<std::uint32_t>(random.below(16));
  draw_chronos_deeds(random, scenario);
  return scenario;
}

std::string describe(const Scenario& s) {
  const auto part = [](const char* name, Duration d) {
    return d > Duration{} ? std::string(" ") + name + "/" + std::to_string(to_ms(d) / 1000) + "s"
                          : std::string();
  };
  std::string text = std::to_string(s.agents.size()) + " agents, " + std::to_string(s.jobs) +
                     " jobs, " + std::to_string(s.frameworks) + " frameworks, " +
                     std::to_string(to_ms(s.trouble) / 1000) + " s of trouble:";
  text += part("process", s.faults.process_crash) + part("host", s.faults.host_crash) +
          part("stall", s.faults.stall) + part("partition", s.faults.partition) +
          part("clog", s.faults.clog) + part("swizzle", s.faults.swizzle) +
          part("clock", s.faults.wall_step) + part("failover", s.failover) +
          part("gone", s.agent_gone) + part("disk", s.disk_failure) + part("full", s.full_disk) +
          part("maintenance", s.maintenance) + part("roles", s.roles) +
          part("release", s.release_after);
  if (s.gangs > 0) {
    text += " gangs/" + std::to_string(s.gangs) + "x" + std::to_string(s.gang.count_min);
  }
  if (s.rare_branches) text += " rare";
  if (s.mixed_versions) text += " versions";
  if (s.heal_group_first) text += " group";
  const sim::NetworkOptions& net = s.faults.network;
  return text + " loss/dup/reorder/corrupt/reset " + std::to_string(net.loss_ppm) + "/" +
         std::to_string(net.duplicate_ppm) + "/" + std::to_string(net.reorder_ppm) + "/" +
         std::to_string(net.corrupt_ppm) + "/" + std::to_string(net.reset_ppm) + " ppm";
}

}  // namespace rm_sim
