// An executor: one process that runs many tasks of its framework, each a counter.
//
// A framework names this program in its tasks' ExecutorInfo. The agent starts it once, hands it
// every further task of the same executor, and passes messages between it and the framework. A
// task's `data` is the number to count to, `0` counts until it is killed; a number is counted each
// tenth of a second. The message `status` is answered with this process's id and all counts, and a
// task that ends reports its count as `data`.
#include <unistd.h>

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "librm/runtime/executor_process.hpp"

using namespace librm;

namespace {

constexpr std::chrono::milliseconds interval{100};

class Counters {
 public:
  Counters(asio::io_context& io, const ExecutorEnvironment& environment)
      : io_(io), process_(io, environment, callbacks()) {}

  void start() { process_.start(); }

 private:
  struct Counter {
    long count = 0;
    long last = 0;  // 0: none
    std::unique_ptr<asio::steady_timer> timer;
  };

  ExecutorProcess::Callbacks callbacks() {
    ExecutorProcess::Callbacks result;
    result.on_run = [this](const TaskInfo& task) { run(task); };
    // A counter can end at once; one that could not would have `grace` to do so.
    result.on_stop = [this](const TaskId& task, Duration) { end(task, TaskState::killed); };
    result.on_message = [this](const std::string& data) {
      process_.send(data == "status" ? status() : "unknown message: " + data);
    };
    result.on_end = [this](const std::string& reason) {
      std::printf("ends: %s\n", reason.c_str());
      io_.stop();
    };
    return result;
  }

  void run(const TaskInfo& task) {
    Counter& counter = counters_[task.id];
    counter.last = std::strtol(task.data.c_str(), nullptr, 10);
    counter.timer = std::make_unique<asio::steady_timer>(io_);
    process_.report({task.id, TaskState::running, "", "", std::nullopt});
    wait(task.id, counter);
  }

  void wait(const TaskId& task, Counter& counter) {
    counter.timer->expires_after(interval);
    counter.timer->async_wait([this, task](const asio::error_code& error) {
      const auto found = counters_.find(task);
      if (error || found == counters_.end()) return;
      if (++found->second.count == found->second.last) return end(task, TaskState::finished);
      wait(task, found->second);
    });
  }

  void end(const TaskId& task, TaskState state) {
    const auto found = counters_.find(task);
    if (found == counters_.end()) return;
    process_.report({task, state, "", std::to_string(found->second.count), std::nullopt});
    counters_.erase(found);
  }

  std::string status() const {
    std::string text = "pid=" + std::to_string(::getpid());
    for (const auto& [task, counter] : counters_) {
      text += " " + task + "=" + std::to_string(counter.count);
    }
    return text;
  }

  asio::io_context& io_;
  std::map<TaskId, Counter> counters_;
  ExecutorProcess process_;
};

}  // namespace

int main() {
  const Result<ExecutorEnvironment> environment = read_executor_environment();
  if (!environment) {
    std::fprintf(stderr, "%s\n", environment.error().message.c_str());
    return 2;
  }
  asio::io_context io(1);
  Counters counters(io, *environment);
  counters.start();
  io.run();
  return 0;
}
