// The machine's own limit: posix_spawn and wait of one program by a number of workers.
#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

extern char** environ;

namespace {

/// Spawns and reaps `count` processes; returns how many ended with exit code 0.
int spawn_and_wait(char* const* command, int count) {
  int good = 0;
  for (int i = 0; i < count; ++i) {
    pid_t pid = 0;
    int status = 0;
    if (posix_spawnp(&pid, command[0], nullptr, nullptr, command, environ) != 0) break;
    if (waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0) ++good;
  }
  return good;
}

}  // namespace

/// Usage: bench-spawn-floor COUNT WORKERS PROGRAM [ARG...]; prints one JSON object.
int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: %s COUNT WORKERS PROGRAM [ARG...]\n", argv[0]);
    return 2;
  }
  const int count = std::atoi(argv[1]);
  const int workers = std::atoi(argv[2]);
  std::vector<int> good(static_cast<std::size_t>(workers), 0);
  const auto start = std::chrono::steady_clock::now();
  {
    std::vector<std::jthread> threads;
    for (int w = 0; w < workers; ++w) {
      threads.emplace_back([&, w] {
        good[static_cast<std::size_t>(w)] = spawn_and_wait(argv + 3, count / workers);
      });
    }
  }
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - start;
  int total = 0;
  for (int g : good) total += g;
  if (total != count / workers * workers) {
    std::fprintf(stderr, "only %d of %d ended well\n", total, count);
    return 1;
  }
  std::printf("{\"processes\": %d, \"seconds\": %.4f, \"per_second\": %.1f}\n", total, wall.count(),
              total / wall.count());
}
