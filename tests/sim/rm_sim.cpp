// rm-sim: runs the production cores through seeds of trouble, and replays the seed that fails.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>

#include <unistd.h>

#include "cluster.hpp"
#include "scenario_file.hpp"

namespace {

using namespace rm_sim;

struct Options {
  std::uint64_t first = 1;
  std::uint64_t seeds = 300;
  std::uint64_t twice_every = 0;
  bool one = false;
  bool trace = false;
  bool verbose = false;
  bool go_on = false;
  bool chronos = false;
  std::string scenario;       ///< path; empty: none
  std::string scenario_text;  ///< of that file
  std::uint64_t crash_at_write = 0;
  std::uint64_t crash_leader_at = 0;
  std::uint64_t crash_agent_at = 0;
};

constexpr std::string_view usage =
    "rm-sim [--seeds N] [--first N] [--twice-every N] [--verbose] [--go-on]\n"
    "rm-sim --chronos ..., rm-sim --scenario FILE ...\n"
    "rm-sim ... --seed N [--trace]\n"
    "\n"
    "Each seed is another cluster, workload and set of faults. Exit code 1 where one fails.\n"
    "  --seeds N        how many (300), beginning with --first (1)\n"
    "  --twice-every N  runs every Nth seed twice and compares (0: none)\n"
    "  --chronos        schedules on five hosts, each run of which must be in time\n"
    "  --scenario FILE  what the file says, other seeds for the rest; README.md has the language\n"
    "  --crash-at-write N  runs each seed N times more with a crash of the leader, and N times "
    "with\n"
    "                   one of an agent, at writes evenly spread; --crash-leader-at and\n"
    "                   --crash-agent-at K are one of these runs\n"
    "  --go-on          does not stop at the tenth failure\n"
    "  --verbose        one line a seed\n"
    "  --seed N         this one alone; --trace prints what happens in it\n";

// For the handler of a failed check, which ends the process: which seed was it?
volatile std::uint64_t current_seed = 0;

char current_flags[400] = "";

void replay_line(char* text, std::size_t size, std::uint64_t seed) {
  std::snprintf(text, size, "  replay: rm-sim %s--seed %llu --trace\n", current_flags,
                static_cast<unsigned long long>(seed));
}

void set_flags(const Options& options) {
  std::string flags;
  if (options.chronos) flags += "--chronos ";
  if (!options.scenario.empty()) flags += "--scenario " + options.scenario + " ";
  if (options.crash_leader_at > 0) {
    flags += "--crash-leader-at " + std::to_string(options.crash_leader_at) + " ";
  }
  if (options.crash_agent_at > 0) {
    flags += "--crash-agent-at " + std::to_string(options.crash_agent_at) + " ";
  }
  std::snprintf(current_flags, sizeof current_flags, "%s", flags.c_str());
}

extern "C" void on_crash(int signal) {
  char text[500];
  std::snprintf(text, sizeof text, "seed %llu: ended by signal %d\n",
                static_cast<unsigned long long>(current_seed), signal);
  (void)!write(STDOUT_FILENO, text, std::strlen(text));
  replay_line(text, sizeof text, current_seed);
  (void)!write(STDOUT_FILENO, text, std::strlen(text));
  _exit(1);
}

bool parse(int argc, char** argv, Options& options) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    const auto number = [&](std::uint64_t& value) {
      if (i + 1 >= argc) return false;
      char* end = nullptr;
      value = std::strtoull(argv[++i], &end, 10);
      return *end == '\0';
    };
    bool good = true;
    if (flag == "--seeds") {
      good = number(options.seeds);
    } else if (flag == "--first") {
      good = number(options.first);
    } else if (flag == "--twice-every") {
      good = number(options.twice_every);
    } else if (flag == "--seed") {
      good = number(options.first);
      options.seeds = 1;
      options.one = true;
    } else if (flag == "--trace") {
      options.trace = true;
    } else if (flag == "--verbose") {
      options.verbose = true;
    } else if (flag == "--scenario" && i + 1 < argc) {
      options.scenario = argv[++i];
    } else if (flag == "--crash-at-write") {
      good = number(options.crash_at_write);
    } else if (flag == "--crash-leader-at") {
      good = number(options.crash_leader_at);
    } else if (flag == "--crash-agent-at") {
      good = number(options.crash_agent_at);
    } else if (flag == "--chronos") {
      options.chronos = true;
    } else if (flag == "--go-on") {
      options.go_on = true;
    } else {
      good = false;
    }
    if (!good) return false;
  }
  return true;
}

Scenario scenario_of(std::uint64_t seed, const Options& options) {
  Scenario scenario = options.chronos ? draw_chronos(seed) : draw_scenario(seed);
  if (!options.scenario.empty()) scenario = parse_scenario(options.scenario_text, seed).value();
  scenario.crash_leader_at = options.crash_leader_at;
  scenario.crash_agent_at = options.crash_agent_at;
  return scenario;
}

Outcome run_seed(std::uint64_t seed, const Options& options, bool trace) {
  current_seed = seed;
  set_flags(options);
  return Cluster(scenario_of(seed, options), seed, trace ? stdout : nullptr).run();
}

/// Adds to `sums`; false where the seed fails.
bool try_seed(std::uint64_t seed, const Options& options, Outcome& sums) {
  Outcome outcome = run_seed(seed, options, options.trace);
  if (options.twice_every > 0 && seed % options.twice_every == 0) {
    const Outcome again = run_seed(seed, options, false);
    if (again.trace_hash != outcome.trace_hash) {
      outcome.violations.push_back("two runs differ: something is not deterministic");
    }
  }
  if (options.verbose || options.one) {
    std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed),
                describe(scenario_of(seed, options)).c_str());
    std::printf("  %lld s simulated, rest after %lld s, %llu steps, trace %016llx\n",
                static_cast<long long>(librm::to_ms(outcome.time) / 1000),
                static_cast<long long>(librm::to_ms(outcome.healing) / 1000),
                static_cast<unsigned long long>(outcome.steps),
                static_cast<unsigned long long>(outcome.trace_hash));
  }
  for (const std::string& line : outcome.unmet) {
    if (options.verbose || options.one) std::printf("  %s\n", line.c_str());
  }
  sums.time = sums.time + outcome.time;
  sums.healing = std::max(sums.healing, outcome.healing);
  sums.steps += outcome.steps;
  sums.leader_commits = outcome.leader_commits;
  sums.agent_commits = outcome.agent_commits;
  for (const auto& [mark, count] : outcome.marks) sums.marks[mark] += count;
  if (outcome.violations.empty()) return true;
  char replay[500];
  replay_line(replay, sizeof replay, seed);
  std::printf("seed %llu FAILS after %.3f s: %s\n%s", static_cast<unsigned long long>(seed),
              static_cast<double>(outcome.time.ns) / 1e9, outcome.violations.front().c_str(),
              replay);
  std::fflush(stdout);
  return false;
}

/// Reads it into the options; false, and a line that says why, where it cannot be used.
bool read_scenario(Options& options) {
  std::ifstream file(options.scenario);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) {
    std::fprintf(stderr, "%s: cannot be read\n", options.scenario.c_str());
    return false;
  }
  options.scenario_text = text.str();
  const auto parsed = parse_scenario(options.scenario_text, 1);
  if (parsed) return true;
  std::fprintf(stderr, "%s: %s\n", options.scenario.c_str(), parsed.error().message.c_str());
  return false;
}

/// The same seed again and again, with one crash at the first, the second... write: at all of them,
/// or at so many, evenly spread. How many runs failed.
std::uint64_t crash_at_writes(std::uint64_t seed, Options options, Outcome& sums) {
  std::uint64_t failures = try_seed(seed, options, sums) ? 0 : 1;
  const std::uint64_t commits[] = {sums.leader_commits, sums.agent_commits};
  for (int who = 0; who < 2; ++who) {
    const std::uint64_t count = std::min(options.crash_at_write, commits[who]);
    for (std::uint64_t i = 1; i <= count && failures < 10; ++i) {
      const std::uint64_t at = commits[who] * i / count;
      options.crash_leader_at = who == 0 ? at : 0;
      options.crash_agent_at = who == 1 ? at : 0;
      if (!try_seed(seed, options, sums)) ++failures;
    }
  }
  return failures;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!parse(argc, argv, options)) {
    std::fputs(usage.data(), stderr);
    return 2;
  }
  if (!options.scenario.empty() && !read_scenario(options)) return 2;
  std::signal(SIGABRT, on_crash);
  std::signal(SIGSEGV, on_crash);
  const auto began = std::chrono::steady_clock::now();
  Outcome sums;
  std::uint64_t failures = 0;
  std::uint64_t done = 0;
  while (done < options.seeds && (options.go_on || failures < 10)) {
    if (options.crash_at_write > 0) {
      failures += crash_at_writes(options.first + done, options, sums);
    } else if (!try_seed(options.first + done, options, sums)) {
      ++failures;
    }
    ++done;
  }
  if (!options.one) {
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    for (const auto& [mark, count] : sums.marks) {
      std::printf("  %8llu %s\n", static_cast<unsigned long long>(count), mark.c_str());
    }
    std::printf(
        "%llu seeds, %llu failed; %lld s simulated in %.1f s (%.1f seeds/s), longest way "
        "to rest %lld s\n",
        static_cast<unsigned long long>(done), static_cast<unsigned long long>(failures),
        static_cast<long long>(librm::to_ms(sums.time) / 1000), took.count(),
        static_cast<double>(done) / took.count(),
        static_cast<long long>(librm::to_ms(sums.healing) / 1000));
  }
  return failures == 0 ? 0 : 1;
}
