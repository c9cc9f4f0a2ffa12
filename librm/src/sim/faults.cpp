// Bodies of the faults.
#include "librm/sim/faults.hpp"

#include <utility>

namespace librm::sim {

void Faults::add_process(Node& node, std::function<void()> restart) {
  if (!restart) restart = [&node] { node.start(); };
  processes_.push_back({&node, std::move(restart)});
}

void Faults::add_host(Host& host, std::function<void()> restart) {
  machines_.push_back({&host, std::move(restart)});
}

void Faults::start() {
  active_ = true;
  world_.network().set_options(rates_.network);
  repeat("process crash", rates_.process_crash, &Faults::crash_process);
  repeat("host crash", rates_.host_crash, &Faults::crash_host);
  repeat("stall", rates_.stall, &Faults::stall);
  repeat("partition", rates_.partition, &Faults::partition);
  repeat("clog", rates_.clog, &Faults::clog);
  repeat("swizzle", rates_.swizzle, &Faults::swizzle);
  repeat("clock step", rates_.wall_step, &Faults::step_wall);
}

/// Uniform in (0, 2 * mean]: as bursty as needed, and bounded.
void Faults::repeat(const char* kind, Duration mean, void (Faults::*fault)()) {
  if (mean <= Duration{}) return;
  world_.after(world_.draw(milliseconds(1), mean * 2), [this, kind, mean, fault] {
    if (!active_) return;
    counted(kind);
    (this->*fault)();
    repeat(kind, mean, fault);
  });
}

void Faults::stop() {
  active_ = false;
  world_.network().heal();
  for (Machine& machine : machines_) {
    if (machine.host->up()) continue;
    machine.host->boot();
    machine.restart();
  }
  for (Process& process : processes_) {
    if (!process.node->running()) process.restart();
  }
}

void Faults::crash_process() {
  if (processes_.empty()) return;
  Process& process = processes_[world_.random().below(processes_.size())];
  if (!process.node->running()) return;
  process.node->crash();
  world_.after(world_.draw_skewed(milliseconds(10), rates_.down_max), [this, &process] {
    if (active_ && !process.node->running()) process.restart();
  });
}

void Faults::crash_host() {
  if (machines_.empty()) return;
  Machine& machine = machines_[world_.random().below(machines_.size())];
  if (!machine.host->up()) return;
  machine.host->crash();
  world_.after(world_.draw(seconds(1), rates_.host_down_max), [this, &machine] {
    if (!active_ || machine.host->up()) return;
    machine.host->boot();
    machine.restart();
  });
}

void Faults::stall() {
  if (processes_.empty()) return;
  Process& process = processes_[world_.random().below(processes_.size())];
  if (process.node->running()) {
    process.node->stall(world_.draw_skewed(milliseconds(50), rates_.stall_max));
  }
}

/// One host against the others, or a pair; both ways, or one.
void Faults::partition() {
  if (cables_.size() < 2) return;
  Host& host = *cables_[world_.random().below(cables_.size())];
  const bool alone = world_.random().chance(1, 2);
  const std::uint64_t ways = 1 + world_.random().below(3);
  Host* only = cables_[world_.random().below(cables_.size())];
  const Duration time = world_.draw_skewed(milliseconds(100), rates_.partition_max);
  for (Host* other : cables_) {
    if (other == &host || (!alone && other != only)) continue;
    if (ways & 1) world_.network().block(host, *other);
    if (ways & 2) world_.network().block(*other, host);
    world_.after(time, [this, &host, other, ways] {
      if (!active_) return;
      if (ways & 1) world_.network().unblock(host, *other);
      if (ways & 2) world_.network().unblock(*other, host);
    });
  }
}

void Faults::clog() {
  if (cables_.size() < 2) return;
  Host& from = *cables_[world_.random().below(cables_.size())];
  Host& to = *cables_[world_.random().below(cables_.size())];
  if (&from == &to) return;
  world_.network().clog(from, to, world_.draw_skewed(milliseconds(100), seconds(10)));
  world_.after(world_.draw(seconds(1), rates_.partition_max), [this, &from, &to] {
    if (active_) world_.network().clog(from, to, Duration{});
  });
}

/// Some hosts become slow to all others, one by one, and are released in another order.
void Faults::swizzle() {
  std::vector<Host*> order;
  for (Host* host : cables_) {
    if (world_.random().chance(1, 2)) order.push_back(host);
  }
  const auto shuffle = [&] {
    for (std::size_t i = order.size(); i > 1; --i) {
      std::swap(order[i - 1], order[world_.random().below(i)]);
    }
  };
  Duration at;
  const auto next = [&] { return at = at + world_.draw_skewed(milliseconds(10), seconds(5)); };
  shuffle();
  for (Host* host : order) {
    const Duration extra = world_.draw_skewed(milliseconds(100), seconds(10));
    world_.after(next(), [this, host, extra] {
      if (active_) clog_host(*host, extra);
    });
  }
  shuffle();
  for (Host* host : order) {
    world_.after(next(), [this, host] {
      if (active_) clog_host(*host, Duration{});
    });
  }
}

void Faults::clog_host(Host& host, Duration extra) {
  for (Host* other : cables_) {
    if (other == &host) continue;
    world_.network().clog(host, *other, extra);
    world_.network().clog(*other, host, extra);
  }
}

void Faults::step_wall() {
  const auto& hosts = world_.hosts();
  Host& host = *hosts[world_.random().below(hosts.size())];
  const Duration by = world_.draw_skewed(milliseconds(1), seconds(3600));
  host.step_wall(world_.random().chance(1, 2) ? by : Duration{} - by);
}

}  // namespace librm::sim
