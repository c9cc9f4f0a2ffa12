// What an allocation decision costs, by agents and frameworks: a full pass, a declined round, one
// freed agent, one agent with every framework filtered, and a run with nothing to do.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "librm/alloc/allocator.hpp"

namespace {

using namespace librm;

const Resources agent_total = Resources::parse("cpus:24;disk:4096;mem:4096").value();
constexpr Duration long_time = seconds(3600);

struct Cluster {
  Cluster(std::int64_t agents, std::int64_t frameworks)
      : allocator({.offer_timeout = seconds(1'000'000)}) {
    for (std::int64_t id = 1; id <= frameworks; ++id) {
      (void)allocator.add_framework({static_cast<std::uint64_t>(id)}, {"*"});
    }
    for (std::int64_t id = 1; id <= agents; ++id) add_agent(id);
  }
  void add_agent(std::int64_t id) {
    (void)allocator.add_agent({static_cast<std::uint64_t>(id)}, "host", agent_total, {}, {});
  }
  /// Declines what is outstanding, so that nothing is left but filters of who was offered.
  void decline(const std::vector<Offer>& offers) {
    for (const Offer& offer : offers) (void)allocator.decline(offer.id, now, long_time, "");
  }

  Allocator allocator;
  Instant now{1};
};

bool made(benchmark::State& state, std::size_t offers, std::size_t wanted) {
  if (offers == wanted) return true;
  state.SkipWithError(
      ("made " + std::to_string(offers) + " offers, not " + std::to_string(wanted)).c_str());
  return false;
}

std::size_t agents_of(const benchmark::State& state) {
  return static_cast<std::size_t>(state.range(0));
}

void count_decisions(benchmark::State& state, std::size_t offers_per_iteration) {
  const auto decisions =
      state.iterations() * static_cast<benchmark::IterationCount>(offers_per_iteration);
  state.SetItemsProcessed(static_cast<std::int64_t>(decisions));
}

/// Registering all agents, one after the other.
void add_all_agents(benchmark::State& state) {
  for (auto _ : state) {
    state.PauseTiming();
    auto cluster = std::make_unique<Cluster>(0, state.range(1));
    state.ResumeTiming();
    for (std::int64_t id = 1; id <= state.range(0); ++id) cluster->add_agent(id);
    state.PauseTiming();
    if (!made(state, cluster->allocator.run(cluster->now).size(), agents_of(state))) return;
    cluster.reset();
    state.ResumeTiming();
  }
  count_decisions(state, agents_of(state));
}

/// The first run, which offers every agent.
void full_pass(benchmark::State& state) {
  for (auto _ : state) {
    state.PauseTiming();
    auto cluster = std::make_unique<Cluster>(state.range(0), state.range(1));
    state.ResumeTiming();
    auto offers = cluster->allocator.run(cluster->now);
    state.PauseTiming();
    if (!made(state, offers.size(), agents_of(state))) return;
    offers.clear();
    cluster.reset();
    state.ResumeTiming();
  }
  count_decisions(state, agents_of(state));
}

/// Everything outstanding is declined, and the next run offers all to others.
void decline_all_round(benchmark::State& state) {
  Cluster cluster(state.range(0), state.range(1));
  std::vector<Offer> offers = cluster.allocator.run(cluster.now);
  std::int64_t rounds = 1;
  for (auto _ : state) {
    if (!made(state, offers.size(), agents_of(state))) return;
    cluster.decline(offers);
    if (++rounds > state.range(1)) {  // everybody has refused everything: from the start
      state.PauseTiming();
      for (std::int64_t id = 1; id <= state.range(1); ++id) {
        cluster.allocator.revive({static_cast<std::uint64_t>(id)}, {});
      }
      rounds = 1;
      state.ResumeTiming();
    }
    offers = cluster.allocator.run(cluster.now);
  }
  count_decisions(state, agents_of(state));
}

/// A task ends, its agent is offered, and a task is started there: the life of a busy cluster.
void freed_agent_to_next_offer(benchmark::State& state) {
  Cluster cluster(state.range(0), state.range(1));
  const AgentId agent{static_cast<std::uint64_t>(state.range(0)) / 2 + 1};
  FrameworkId holder;
  for (const Offer& offer : cluster.allocator.run(cluster.now)) {
    if (offer.agent == agent) holder = offer.framework;
    (void)cluster.allocator.accept({{offer.id}}, agent_total, cluster.now, {});
  }
  for (auto _ : state) {
    cluster.allocator.release(holder, agent, "*", agent_total);
    const auto offers = cluster.allocator.run(cluster.now);
    if (!made(state, offers.size(), 1)) return;
    holder = offers[0].framework;
    (void)cluster.allocator.accept({{offers[0].id}}, agent_total, cluster.now, long_time);
  }
  count_decisions(state, 1);
}

/// Every framework has refused every agent; nothing changes.
void all_filtered_idle(benchmark::State& state) {
  Cluster cluster(state.range(0), state.range(1));
  for (std::int64_t round = 0; round < state.range(1); ++round) {
    const auto offers = cluster.allocator.run(cluster.now);
    if (!made(state, offers.size(), agents_of(state))) return;
    cluster.decline(offers);
  }
  // The last round left every agent to be looked at once more.
  if (!made(state, cluster.allocator.run(cluster.now).size(), 0)) return;
  for (auto _ : state) {
    if (!made(state, cluster.allocator.run(cluster.now).size(), 0)) return;
  }
  count_decisions(state, 1);
}

/// Every framework has refused it, and a part of one agent comes and goes.
void all_filtered_one_agent_changes(benchmark::State& state) {
  Cluster cluster(1, state.range(1));
  for (std::int64_t round = 0; round < state.range(1); ++round) {
    cluster.decline(cluster.allocator.run(cluster.now));
  }
  const Resources part = Resources::scalar("cpus", Amount::units(1));
  for (auto _ : state) {
    (void)cluster.allocator.hold({1}, {1}, "*", part);
    cluster.allocator.release({1}, {1}, "*", part);
    if (!made(state, cluster.allocator.run(cluster.now).size(), 0)) return;
  }
  count_decisions(state, 1);
}

const std::vector<std::vector<std::int64_t>> sizes = {{100, 1000, 10'000}, {1, 50, 1000}};

BENCHMARK(add_all_agents)->ArgsProduct(sizes)->Unit(benchmark::kMillisecond);
BENCHMARK(full_pass)->ArgsProduct(sizes)->Unit(benchmark::kMillisecond);
BENCHMARK(decline_all_round)->ArgsProduct(sizes)->Unit(benchmark::kMillisecond);
BENCHMARK(freed_agent_to_next_offer)->ArgsProduct(sizes)->Unit(benchmark::kMicrosecond);
BENCHMARK(all_filtered_idle)->ArgsProduct(sizes)->Iterations(1000)->Unit(benchmark::kMicrosecond);
BENCHMARK(all_filtered_one_agent_changes)
    ->ArgsProduct({{1}, {1, 50, 1000}})
    ->Unit(benchmark::kMicrosecond);

}  // namespace
