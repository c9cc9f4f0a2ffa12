// Do allocation decisions stay cheap in the shapes of clusters that published allocators were
// measured with? Agents by frameworks, declined rounds, suppression, fragmented ports, quotas for
// thousands of roles, a mix of schedulers, gangs, and what it all takes of memory.
//
//     bench-allocator-shapes [--full] [Google Benchmark's own flags]
//
// --full adds the large half of the matrix: minutes, and up to 24 GB where everything is refused
// by everybody. Every benchmark asserts that the intended offers were made.
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "librm/alloc/allocator.hpp"

namespace {

using namespace librm;

constexpr Duration forever = seconds(300 * 24 * 3600);

Resources resources(const std::string& text) { return Resources::parse(text).value(); }

std::int64_t heap_bytes() { return static_cast<std::int64_t>(mallinfo2().uordblks); }

/// Ports with every second one missing: the least that can be merged.
Resources fragmented_ports(std::uint64_t ranges) {
  std::vector<Range> list;
  for (std::uint64_t i = 0; i < ranges; ++i) list.push_back({31000 + 2 * i, 31000 + 2 * i});
  Resources ports;
  Resource entry;
  entry.name = "ports";
  entry.value = Ranges(std::move(list));
  ports.add(std::move(entry));
  return ports;
}

struct Cluster {
  explicit Cluster(AllocatorOptions options = {})
      : allocator([&] {
          options.offer_timeout = seconds(1'000'000);
          return options;
        }()) {}

  void frameworks(std::int64_t count, std::int64_t roles = 1) {
    for (std::int64_t id = 1; id <= count; ++id) {
      const std::string role = roles == 1 ? "*" : "role-" + std::to_string(id % roles);
      (void)allocator.add_framework({static_cast<std::uint64_t>(id)}, {role});
    }
  }
  void agents(std::int64_t count, const Resources& total,
              const std::vector<Allocator::Held>& held = {}) {
    for (std::int64_t id = 1; id <= count; ++id) {
      (void)allocator.add_agent({static_cast<std::uint64_t>(id)}, "host", total, {}, held);
    }
  }
  Allocator allocator;
  Instant now{1};
};

bool expect(benchmark::State& state, std::size_t got, std::size_t wanted, const char* what) {
  if (got == wanted) return true;
  state.SkipWithError(
      (std::string(what) + ": " + std::to_string(got) + ", not " + std::to_string(wanted)).c_str());
  return false;
}

std::size_t agents_of(const benchmark::State& state) {
  return static_cast<std::size_t>(state.range(0));
}

/// Agents that return with what runs there, a part of each held by one framework after the other.
void add_agents_with_work(benchmark::State& state) {
  const Resources total = resources("cpus:2;mem:1024;disk:4096;ports:[31000-32000]");
  const Resources used = resources("cpus:1;mem:128;disk:1024;ports:[31126-31510]");
  for (auto _ : state) {
    state.PauseTiming();
    auto cluster = std::make_unique<Cluster>();
    cluster->frameworks(state.range(1));
    state.ResumeTiming();
    for (std::int64_t id = 1; id <= state.range(0); ++id) {
      const auto holder = static_cast<std::uint64_t>(1 + id % state.range(1));
      (void)cluster->allocator.add_agent({static_cast<std::uint64_t>(id)}, "host", total, {},
                                         {{{holder}, "*", used, {}}});
    }
    state.PauseTiming();
    const auto offers = cluster->allocator.run(cluster->now);
    if (!expect(state, offers.size(), agents_of(state), "offers")) return;
    cluster.reset();
    state.ResumeTiming();
  }
}

/// One round: all that is offered is declined for good, and offered to the next framework. Ports
/// are in sixteen pieces.
void declined_round(benchmark::State& state) {
  Cluster cluster;
  cluster.frameworks(state.range(1));
  cluster.agents(state.range(0), resources("cpus:24;mem:4096;disk:4096") + fragmented_ports(16),
                 {{{1}, "*", resources("cpus:16"), {}}});
  std::vector<Offer> offers = cluster.allocator.run(cluster.now);
  std::int64_t rounds = 1;
  for (auto _ : state) {
    if (!expect(state, offers.size(), agents_of(state), "offers")) return;
    for (const Offer& offer : offers) {
      (void)cluster.allocator.decline(offer.id, cluster.now, forever, "");
    }
    if (++rounds > state.range(1)) {
      state.PauseTiming();
      for (std::int64_t id = 1; id <= state.range(1); ++id) {
        cluster.allocator.revive({static_cast<std::uint64_t>(id)}, {});
      }
      rounds = 1;
      state.ResumeTiming();
    }
    offers = cluster.allocator.run(cluster.now);
  }
}

/// All but one of a hundred frameworks are suppressed; everything comes and goes.
void mostly_suppressed(benchmark::State& state) {
  Cluster cluster;
  cluster.frameworks(state.range(1));
  for (std::int64_t id = 1; id <= state.range(1); ++id) {
    if (id % 100 != 1) cluster.allocator.suppress({static_cast<std::uint64_t>(id)}, {});
  }
  cluster.agents(state.range(0), resources("cpus:24;mem:4096;disk:4096"));
  for (auto _ : state) {
    const auto offers = cluster.allocator.run(cluster.now);
    if (!expect(state, offers.size(), agents_of(state), "offers")) return;
    for (const Offer& offer : offers) {
      if (offer.framework.value % 100 != 1) return state.SkipWithError("offered to a suppressed");
      (void)cluster.allocator.decline(offer.id, cluster.now, {}, "");
    }
  }
}

/// Everything is free, and every framework has refused all of it.
void refused_by_all(benchmark::State& state) {
  Cluster cluster;
  cluster.frameworks(state.range(1));
  cluster.agents(state.range(0), resources("cpus:24;mem:4096;disk:4096"));
  const std::int64_t before = heap_bytes();
  for (std::int64_t round = 0; round < state.range(1); ++round) {
    const auto offers = cluster.allocator.run(cluster.now);
    if (!expect(state, offers.size(), agents_of(state), "offers")) return;
    for (const Offer& offer : offers) {
      (void)cluster.allocator.decline(offer.id, cluster.now, forever, "no");
    }
  }
  if (!expect(state, cluster.allocator.run(cluster.now).size(), 0, "offers at the end")) return;
  for (auto _ : state) {
    if (!expect(state, cluster.allocator.run(cluster.now).size(), 0, "offers")) return;
  }
  state.counters["bytes_per_filter"] = static_cast<double>(heap_bytes() - before) /
                                       static_cast<double>(state.range(0) * state.range(1));
}

/// A task ends on one agent of a full cluster, and the agent is offered and used again.
void freed_to_offered(benchmark::State& state) {
  const Resources total = resources("cpus:24;mem:4096;disk:4096");
  Cluster cluster;
  cluster.frameworks(state.range(1));
  cluster.agents(state.range(0), total);
  const AgentId agent{static_cast<std::uint64_t>(state.range(0)) / 2 + 1};
  FrameworkId holder;
  for (const Offer& offer : cluster.allocator.run(cluster.now)) {
    if (offer.agent == agent) holder = offer.framework;
    (void)cluster.allocator.accept({{offer.id}}, total, cluster.now, {});
  }
  for (auto _ : state) {
    cluster.allocator.release(holder, agent, "*", total);
    const auto offers = cluster.allocator.run(cluster.now);
    if (!expect(state, offers.size(), 1, "offers")) return;
    holder = offers[0].framework;
    (void)cluster.allocator.accept({{offers[0].id}}, total, cluster.now, {});
  }
}

/// As many roles as agents, each with one framework and a guarantee of one agent, a tenth of them
/// with a limit, too: all are satisfied in one pass.
void quota_for_each_role(benchmark::State& state) {
  const std::int64_t roles = state.range(0);
  for (auto _ : state) {
    state.PauseTiming();
    auto cluster = std::make_unique<Cluster>();
    cluster->agents(roles, resources("cpus:24;mem:4096"));
    for (std::int64_t i = 0; i < roles; ++i) {
      const std::string role = "role-" + std::to_string(i);
      (void)cluster->allocator.add_framework({static_cast<std::uint64_t>(i + 1)}, {role});
    }
    state.ResumeTiming();
    // One change of quota counts everything anew, so they are set before anything is held.
    state.PauseTiming();
    for (std::int64_t i = 0; i < roles; ++i) {
      Quota quota;
      quota.guarantees["cpus"] = Amount::units(24);
      if (i % 10 == 0) quota.limits["cpus"] = Amount::units(24);
      const auto set = cluster->allocator.set_quota("role-" + std::to_string(i), quota, true);
      if (!set) return state.SkipWithError(set.error().message.c_str());
    }
    state.ResumeTiming();
    const auto offers = cluster->allocator.run(cluster->now);
    state.PauseTiming();
    if (!expect(state, offers.size(), agents_of(state), "offers")) return;
    std::vector<bool> served(agents_of(state) + 1);
    for (const Offer& offer : offers) served[offer.framework.value] = true;
    const auto count = static_cast<std::size_t>(std::count(served.begin(), served.end(), true));
    if (!expect(state, count, agents_of(state), "roles served")) return;
    cluster.reset();
    state.ResumeTiming();
  }
}

/// What a pass costs when all guarantees are met and nothing changed.
void quota_idle(benchmark::State& state) {
  Cluster cluster;
  cluster.agents(state.range(0), resources("cpus:24;mem:4096"));
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    const std::string role = "role-" + std::to_string(i);
    (void)cluster.allocator.add_framework({static_cast<std::uint64_t>(i + 1)}, {role});
    (void)cluster.allocator.set_quota(role, {{{"cpus", Amount::units(24)}}, {}}, true);
  }
  if (!expect(state, cluster.allocator.run(cluster.now).size(), agents_of(state), "offers")) return;
  for (auto _ : state) {
    if (!expect(state, cluster.allocator.run(cluster.now).size(), 0, "offers")) return;
  }
}

/// 80 agents of 64 CPUs: 4 frameworks with 4,000 small tasks, 100 in an offer; 500 with 5 tasks,
/// one in an offer; 50 with 20 tasks, 5 in an offer. How long until all are launched?
void multi_framework_mix(benchmark::State& state) {
  struct Kind {
    std::uint64_t frameworks;
    int tasks;
    int per_offer;
    std::string task;
  };
  const std::vector<Kind> kinds = {{4, 4000, 100, "cpus:0.07;mem:400"},
                                   {500, 5, 1, "cpus:0.1;mem:4000"},
                                   {50, 20, 5, "cpus:1;mem:1000"}};
  for (auto _ : state) {
    state.PauseTiming();
    auto cluster = std::make_unique<Cluster>();
    struct Work {
      Resources task;
      int left;
      int per_offer;
    };
    std::vector<Work> work(1);
    for (const Kind& kind : kinds) {
      for (std::uint64_t i = 0; i < kind.frameworks; ++i) {
        (void)cluster->allocator.add_framework({work.size()}, {"*"});
        work.push_back({resources(kind.task), kind.tasks, kind.per_offer});
      }
    }
    cluster->agents(80, resources("cpus:64;mem:488000"));
    state.ResumeTiming();
    std::size_t launched = 0;
    for (auto offers = cluster->allocator.run(cluster->now); !offers.empty();
         offers = cluster->allocator.run(cluster->now)) {
      for (const Offer& offer : offers) {
        Work& mine = work[offer.framework.value];
        Resources used;
        for (int n = 0; n < mine.per_offer && mine.left > 0; ++n) {
          if (!offer.resources.contains(used + mine.task)) break;
          used += mine.task;
          --mine.left;
          ++launched;
        }
        (void)cluster->allocator.accept({{offer.id}}, used, cluster->now,
                                        used.empty() ? forever : Duration{});
        if (mine.left == 0) cluster->allocator.suppress(offer.framework, {});
      }
    }
    state.PauseTiming();
    if (!expect(state, launched, 4 * 4000 + 500 * 5 + 50 * 20, "tasks launched")) return;
    cluster.reset();
    state.ResumeTiming();
  }
}

/// A gang of so many nodes finds its agents among 10,000, half of which are busy for a while.
void gang(benchmark::State& state) {
  const auto nodes = static_cast<std::uint32_t>(state.range(1));
  Cluster cluster;
  cluster.frameworks(1);
  for (std::int64_t id = 1; id <= state.range(0); ++id) {
    std::vector<Allocator::Held> held;
    if (id % 2 == 0) {
      held.push_back({{2}, "*", resources("cpus:24"), cluster.now + seconds(id % 1000 + 1)});
    }
    (void)cluster.allocator.add_agent({static_cast<std::uint64_t>(id)}, "host",
                                      resources("cpus:24;mem:4096"), {}, held);
  }
  for (const Offer& offer : cluster.allocator.run(cluster.now)) {
    (void)cluster.allocator.decline(offer.id, cluster.now, forever, "");
  }
  std::uint64_t id = 0;
  for (auto _ : state) {
    Demand demand;
    demand.id = {++id};
    demand.role = "*";
    demand.shape = parse_request("cpus:24").value();
    demand.count_min = demand.count_max = nodes;
    (void)cluster.allocator.set_demands({1}, {demand});
    const auto offers = cluster.allocator.run(cluster.now);
    state.PauseTiming();
    std::size_t earmarked = 0;
    for (const Offer& offer : offers) earmarked += offer.earmark ? 1 : 0;
    if (!expect(state, earmarked, nodes, "nodes offered")) return;
    (void)cluster.allocator.set_demands({1}, {});
    for (const Offer& offer : offers) (void)cluster.allocator.rescind(offer.id);
    (void)cluster.allocator.run(cluster.now);
    (void)cluster.allocator.take_rescinded();
    state.ResumeTiming();
  }
}

/// Everything but filters: agents, frameworks, and an offer on each agent.
void memory(benchmark::State& state) {
  for (auto _ : state) {
    const std::int64_t before = heap_bytes();
    auto cluster = std::make_unique<Cluster>();
    cluster->frameworks(state.range(1));
    cluster->agents(state.range(0), resources("cpus:24;mem:4096;disk:4096;ports:[31000-32000]"));
    const std::int64_t added = heap_bytes();
    const auto offers = cluster->allocator.run(cluster->now);
    if (!expect(state, offers.size(), agents_of(state), "offers")) return;
    state.counters["MB"] = static_cast<double>(added - before) / 1e6;
    state.counters["MB_with_offers"] = static_cast<double>(heap_bytes() - before) / 1e6;
    state.PauseTiming();
    cluster.reset();
    state.ResumeTiming();
  }
}

/// A copy to try something out on.
void clone(benchmark::State& state) {
  Cluster cluster;
  cluster.frameworks(state.range(1));
  cluster.agents(state.range(0), resources("cpus:24;mem:4096;disk:4096"));
  (void)cluster.allocator.run(cluster.now);
  for (auto _ : state) {
    auto copy = cluster.allocator.clone();
    benchmark::DoNotOptimize(copy);
    state.PauseTiming();
    if (!expect(state, copy->agents().size(), agents_of(state), "agents")) return;
    copy.reset();
    state.ResumeTiming();
  }
}

void register_all(bool full) {
  using Sizes = std::vector<std::vector<std::int64_t>>;
  const Sizes sizes = full ? Sizes{{1000, 10'000, 50'000}, {1, 50, 200, 1000, 6000}}
                           : Sizes{{1000, 10'000}, {1, 50, 1000}};
  const auto matrix = [&](const char* name, auto function, benchmark::TimeUnit unit) {
    return benchmark::RegisterBenchmark(name, function)->ArgsProduct(sizes)->Unit(unit);
  };
  matrix("add_agents_with_work", add_agents_with_work, benchmark::kMillisecond);
  matrix("declined_round", declined_round, benchmark::kMillisecond)->MinTime(0.05);
  matrix("mostly_suppressed", mostly_suppressed, benchmark::kMillisecond);
  matrix("freed_to_offered", freed_to_offered, benchmark::kMicrosecond);
  matrix("clone", clone, benchmark::kMillisecond)->MinTime(0.05);
  // 50,000 agents that 6,000 frameworks refused are 300 million filters.
  for (const std::int64_t agents : sizes[0]) {
    for (const std::int64_t frameworks : sizes[1]) {
      if (agents * frameworks > (full ? 60'000'000 : 10'000'000)) continue;
      benchmark::RegisterBenchmark("refused_by_all", refused_by_all)
          ->Args({agents, frameworks})
          ->Iterations(1000)
          ->Unit(benchmark::kMicrosecond);
    }
  }
  for (const std::int64_t roles : {30, 300, 3000}) {
    benchmark::RegisterBenchmark("quota_for_each_role", quota_for_each_role)
        ->Args({roles})
        ->Iterations(roles > 1000 ? 1 : 5)
        ->Unit(benchmark::kMillisecond);
    benchmark::RegisterBenchmark("quota_idle", quota_idle)
        ->Args({roles})
        ->Iterations(1000)
        ->Unit(benchmark::kMicrosecond);
  }
  benchmark::RegisterBenchmark("multi_framework_mix", multi_framework_mix)
      ->Unit(benchmark::kMillisecond);
  for (const std::int64_t nodes : {2, 16, 128, 1024}) {
    benchmark::RegisterBenchmark("gang", gang)
        ->Args({10'000, nodes})
        ->Unit(benchmark::kMillisecond);
  }
  benchmark::RegisterBenchmark("memory", memory)
      ->Args({full ? 50'000 : 10'000, full ? 6000 : 1000})
      ->Iterations(1)
      ->Unit(benchmark::kMillisecond);
}

}  // namespace

int main(int argc, char** argv) {
  bool full = false;
  std::vector<char*> rest;
  for (int i = 0; i < argc; ++i) {
    if (std::strcmp(argv[i], "--full") == 0) {
      full = true;
    } else {
      rest.push_back(argv[i]);
    }
  }
  int count = static_cast<int>(rest.size());
  benchmark::Initialize(&count, rest.data());
  if (benchmark::ReportUnrecognizedArguments(count, rest.data())) return 2;
  register_all(full);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
