// Three clusters in one process and one loop: the library has no globals, so they never meet.
//
// Each cluster is a MasterCore with one agent. One scheduler has a session with every one of them
// and starts each task on the first cluster that offers enough for it.
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "librm/librm.hpp"

using namespace librm;

namespace {

constexpr ConnectionId agent_line{2}, session_line{3};

struct Cluster {
  Cluster(std::string its_name, const char* pool) : name(std::move(its_name)) {
    master.resume(Now{}, actions);
    RegisterAgent agent;
    agent.total = Resources::parse(pool).value();
    master.step(Now{}, Received{agent_line, agent}, actions);
    master.step(Now{}, Received{agent_line, AgentHeartbeat{1}}, actions);
    session.step(Now{}, MasterConnected{session_line}, outputs);
  }

  const std::string name;
  MasterCore master{MasterOptions{}};
  FrameworkCore session{FrameworkOptions{}};
  MasterActions actions;
  FrameworkActions outputs;
};

using Jobs = std::vector<std::pair<std::string, std::string>>;  // name and request

/// Starts the jobs that fit into the offer; they leave the list.
void on_offer(Cluster& cluster, Now now, const OfferInfo& offer, Jobs& jobs) {
  AcceptOffers accept;
  accept.offers = {offer.id};
  accept.refuse_for = seconds(3600);
  Resources left = offer.resources;
  std::erase_if(jobs, [&](const auto& job) {
    const auto chosen = select(parse_request(job.second).value(), left);
    if (!chosen) return false;
    left -= *chosen;
    TaskInfo task;
    task.id = job.first;
    task.resources = *chosen;
    task.command.value = "true";
    accept.tasks.push_back(task);
    return true;
  });
  cluster.session.step(now, Call{accept}, cluster.outputs);
}

/// Carries messages between the cores of one cluster; false where nothing moved.
bool turn(Cluster& cluster, Now now, Jobs& jobs) {
  bool moved = false;
  for (const FrameworkOutput& output : std::exchange(cluster.outputs, {})) {
    moved = true;
    if (const auto* send = std::get_if<Send>(&output)) {
      cluster.master.step(now, Received{session_line, send->message}, cluster.actions);
    } else if (const auto* offered = std::get_if<OfferReceived>(&output)) {
      on_offer(cluster, now, offered->offer, jobs);
    }
  }
  cluster.master.flush(now, cluster.actions);
  const MasterActions caused = std::exchange(cluster.actions, {});
  for (const auto& item : caused.items()) {
    const auto* output = std::get_if<MasterOutput>(&item);
    const Send* send = output != nullptr ? std::get_if<Send>(output) : nullptr;
    if (send == nullptr) continue;
    moved = true;
    if (send->connection == session_line) {
      cluster.session.step(now, Received{session_line, send->message}, cluster.outputs);
    } else if (const auto* launch = std::get_if<LaunchTasks>(&send->message)) {
      for (const TaskInfo& task : launch->tasks) {
        std::printf("%s runs %s with %s\n", cluster.name.c_str(), task.id.c_str(),
                    to_string(task.resources).c_str());
      }
    }
  }
  return moved;
}

}  // namespace

int main() {
  Cluster clusters[] = {{"north", "cpus:2"}, {"south", "cpus:8"}, {"cloud", "cpus:64;gpus:4"}};
  Jobs jobs = {
      {"sort", "cpus:1"}, {"solve", "cpus:8"}, {"train", "cpus:4;gpus:2"}, {"dream", "cpus:100"}};
  for (bool moved = true; moved;) {
    moved = false;
    for (Cluster& cluster : clusters) moved |= turn(cluster, Now{}, jobs);
  }
  for (const auto& [name, request] : jobs) std::printf("%s fits nowhere\n", name.c_str());
  return jobs.size() == 1 ? 0 : 1;
}
