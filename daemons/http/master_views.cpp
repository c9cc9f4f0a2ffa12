// Views of the master's core, rendered; nothing here decides anything.
#include "http/master_views.hpp"

#include <algorithm>
#include <array>
#include <map>

#include "batch/edge/job_json.hpp"
#include "http/maintenance_json.hpp"
#include "http/role_json.hpp"
#include "librm/alloc/allocator.hpp"

namespace librm::http {

namespace {

const char* to_string(AgentStatus status) {
  switch (status) {
    case AgentStatus::admitted:
      return "admitted";
    case AgentStatus::unreachable:
      return "unreachable";
    case AgentStatus::gone:
      return "gone";
  }
  return "unknown";
}

const char* to_string(FrameworkStatus status) {
  return status == FrameworkStatus::active ? "active" : "completed";
}

Json node(const MasterCore& master, AgentId id, const MasterCore::Agent& agent, WallTime now) {
  const AgentRecord& record = agent.record;
  const auto view = master.allocator().agent(id);
  const Resources nothing;
  Json json = {{"id", librm::to_string(id)},
               {"hostname", record.hostname},
               {"status", to_string(record.status)},
               {"connected", agent.connection.has_value()},
               {"http_address", record.http_address},
               {"attributes", record.attributes},
               {"total", batch::resources_to_json(view ? *view->total : record.total)},
               {"held", batch::resources_to_json(view ? view->held : nothing)},
               {"offered", batch::resources_to_json(view ? view->offered : nothing)},
               {"free", batch::resources_to_json(view ? view->free : nothing)},
               {"tasks", agent.tasks.size()}};
  add_reservations(json, agent);
  add_service(json, master, agent, now);
  return json;
}

/// `held` less `offered`, scalar by scalar: the allocator counts what is offered as held.
Json scalars_without(const Resources& held, const Resources& offered) {
  Json object = Json::object();
  for (const Resource& entry : held.list()) {
    const Amount left{std::max<std::int64_t>(
        0, held.amount(entry.name).milli - offered.amount(entry.name).milli)};
    if (left.milli > 0) object[entry.name] = batch::amount_to_json(left);
  }
  return object;
}

/// Scalars alone: port 31000 of two agents is not one port.
void add_scalars(Resources& sum, const Resources& part) {
  const Resources plain = part.unreserved();
  for (const Resource& entry : plain.list()) {
    if (std::holds_alternative<Amount>(entry.value)) sum.add(entry);
  }
}

Resources offered_to(const Allocator& allocator, FrameworkId framework) {
  Resources sum;
  for (const Offer* offer : allocator.offers_of(framework)) add_scalars(sum, offer->resources);
  return sum;
}

}  // namespace

Json nodes_to_json(const batch::ClusterCore& core, WallTime now) {
  const MasterCore& master = core.master();
  Json list = Json::array();
  for (const auto& [id, agent] : master.agents()) list.push_back(node(master, id, agent, now));
  return {{"nodes", std::move(list)},
          {"rescheduling_pause", core.batch().rescheduling_pause().value_or("")}};
}

std::optional<Json> node_to_json(const MasterCore& master, AgentId id, WallTime now) {
  const auto found = master.agents().find(id);
  if (found == master.agents().end()) return std::nullopt;
  Json json = node(master, id, found->second, now);
  json["topology"] = found->second.record.topology;
  return json;
}

Json frameworks_to_json(const MasterCore& master) {
  std::map<FrameworkId, Resources> held;
  for (const auto& view : master.allocator().frameworks()) held[view.framework] = view.held;
  Json list = Json::array();
  for (const auto& [id, framework] : master.frameworks()) {
    const FrameworkRecord& record = framework.record;
    const Resources offered = offered_to(master.allocator(), id);
    list.push_back({{"id", librm::to_string(id)},
                    {"name", record.info.name},
                    {"user", record.info.user},
                    {"roles", record.info.roles},
                    {"status", to_string(record.status)},
                    {"connected", framework.connection.has_value()},
                    {"held", scalars_without(held[id], offered)},
                    {"offered", batch::resources_to_json(offered)},
                    {"tasks", framework.tasks.size()}});
  }
  return {{"frameworks", std::move(list)}};
}

const Json& JobCounts::by_state(const batch::BatchCore& batch, Instant now) {
  constexpr std::size_t few = 10'000;
  const bool usable =
      counted_ && jobs_ > few && now - *counted_ < microseconds(static_cast<std::int64_t>(jobs_));
  if (usable) return counts_;
  std::array<std::size_t, 7> counts{};
  for (const auto& [id, job] : batch.jobs()) ++counts[static_cast<std::size_t>(job.state)];
  counts_ = Json::object();
  for (int state = 1; state < 7; ++state) {
    counts_[batch::to_string(static_cast<batch::JobState>(state))] =
        counts[static_cast<std::size_t>(state)];
  }
  counted_ = now;
  jobs_ = batch.jobs().size();
  return counts_;
}

Json state_to_json(const batch::ClusterCore& core, const std::string& leader, const Json& jobs) {
  const MasterCore& master = core.master();
  Json nodes = {{"admitted", 0}, {"unreachable", 0}, {"gone", 0}, {"connected", 0}};
  for (const auto& [id, agent] : master.agents()) {
    Json& count = nodes[to_string(agent.record.status)];
    count = count.get<int>() + 1;
    if (agent.connection) nodes["connected"] = nodes["connected"].get<int>() + 1;
  }
  std::map<std::string, std::size_t> tasks{{"live", 0}};
  std::size_t active = 0;
  for (const auto& [id, framework] : master.frameworks()) {
    if (framework.record.status == FrameworkStatus::active) ++active;
    for (const auto& [task_id, task] : framework.tasks) {
      if (is_terminal(task.latest.state)) continue;
      ++tasks["live"];
      ++tasks[librm::to_string(task.latest.state)];
    }
  }
  Resources total, held, offered, free;
  for (const auto& view : master.allocator().agents()) {
    add_scalars(total, *view.total);
    add_scalars(held, view.held);
    add_scalars(offered, view.offered);
    add_scalars(free, view.free);
  }
  return {{"jobs", jobs},
          {"nodes", std::move(nodes)},
          {"tasks", tasks},
          {"resources",
           {{"total", batch::resources_to_json(total)},
            {"held", batch::resources_to_json(held)},
            {"offered", batch::resources_to_json(offered)},
            {"free", batch::resources_to_json(free)}}},
          {"frameworks", active},
          {"epoch", master.epoch()},
          {"leader", leader},
          {"storage_low", master.storage_low()},
          {"rescheduling_pause", core.batch().rescheduling_pause().value_or("")}};
}

}  // namespace librm::http
