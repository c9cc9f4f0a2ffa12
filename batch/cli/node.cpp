// `rmctl node`: one node in full, with its tasks and the machine as a drawing.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <optional>
#include <set>

#include "facts.hpp"
#include "hwtopo/cpuset.hpp"
#include "hwtopo/topology.hpp"
#include "machine_view.hpp"
#include "node_view.hpp"
#include "table.hpp"

namespace batch::cli {

using librm::ErrorCode;
using librm::fail;
using librm::Result;

namespace {

/// What its agent says of its tasks.
struct AgentAnswer {
  Json tasks = Json::array();
  std::string problem;  ///< why there is none
};

bool is_id(const std::string& text) {
  return text.starts_with("a-") && text.size() > 2 &&
         text.find_first_not_of("0123456789", 2) == text.npos;
}

bool is_there(const Json& node) {
  const Json& connected = member(node, "connected");
  return connected.is_boolean() && connected.get<bool>();
}

/// The id of the node with this host name. Those that left may have had the same.
Result<std::string> id_of_host(Master& master, const std::string& host) {
  const auto answer = master.get("/v1/nodes");
  if (!answer) return tl::unexpected(answer.error());
  std::vector<std::string> there;
  std::vector<std::string> away;
  for (const Json& node : member(*answer, "nodes")) {
    if (text_of(node, "hostname") != host) continue;
    (is_there(node) ? there : away).push_back(shown(node, "id"));
  }
  const std::vector<std::string>& found = there.empty() ? away : there;
  if (found.empty()) {
    return fail(ErrorCode::not_found, "node " + escape(host) + ": neither an id nor a host name");
  }
  if (found.size() == 1) return found.front();
  std::string ids;
  for (const std::string& id : found) ids += (ids.empty() ? "" : ", ") + id;
  return fail(ErrorCode::invalid_argument,
              "node " + escape(host) + ": several have this host name: " + ids);
}

Result<Json> fetch_node(Master& master, const std::string& name) {
  const auto id = node_id(master, name);
  if (!id) return tl::unexpected(id.error());
  return master.get("/v1/nodes/" + percent_encode(*id));
}

AgentAnswer ask_agent(Master& master, const Json& node) {
  if (!is_there(node)) return {Json::array(), "it is away"};
  auto url = parse_url(text_of(node, "http_address"));
  if (!url) return {Json::array(), url.error().message};
  url->target = "/v1/tasks";
  const auto response = master.http().fetch(*url, {"GET", url->target, {}, ""});
  if (!response) return {Json::array(), response.error().message};
  Json answer = Json::parse(response->body, nullptr, false);
  if (response->status != 200 || !member(answer, "tasks").is_array()) {
    return {Json::array(), authority(*url) + " answers, but not as an agent does"};
  }
  return {member(answer, "tasks"), ""};
}

/// Such as `2`, `1.5G` and `31000-31010`.
std::string amount_of(const Json& node, const char* part, const std::string& name) {
  const Json& resources = member(node, part);
  const auto number = number_of(resources, name.c_str());
  if (!number) {
    const std::string text = shown(resources, name.c_str());
    const bool is_set = member(member(node, "total"), name.c_str()).is_string();
    return !text.empty() ? text : is_set ? "-" : "0";
  }
  return name == "mem" || name == "disk" ? human_mib(*number) : human_number(*number);
}

std::string resources_of(const Terminal& terminal, const Json& node) {
  Table table({{"RESOURCE"},
               {"TOTAL", true, true},
               {"HELD", true, true},
               {"OFFERED", true, true},
               {"FREE", true, true}});
  const Json& total = member(node, "total");
  if (!total.is_object()) return {};
  for (const auto& [name, value] : total.items()) {
    table.add({escape(name), amount_of(node, "total", name), amount_of(node, "held", name),
               amount_of(node, "offered", name), amount_of(node, "free", name)});
  }
  return table.empty() ? "" : '\n' + table.render(terminal, true);
}

bool is_over(const Json& task) {
  static const std::set<std::string> live{"staging", "starting", "running", "killing"};
  return !live.contains(text_of(task, "state"));
}

hwtopo::Cpuset cpus_of(const Json& task) {
  auto set = hwtopo::parse_cpuset(text_of(task, "cpus"));
  return set && !is_over(task) ? *set : hwtopo::Cpuset();
}

std::string tasks_of(const Terminal& terminal, const AgentAnswer& agent) {
  if (!agent.problem.empty()) return "\nIts tasks are not known: " + escape(agent.problem) + '\n';
  if (agent.tasks.empty()) return "\nNo tasks.\n";
  Table table({{""},
               {"TASK"},
               {"NAME", false, true},
               {"STATE"},
               {"CPUS", true},
               {"MEM", true},
               {"BOUND TO", false, true},
               {"STARTED"}});
  for (std::size_t i = 0; i < agent.tasks.size(); ++i) {
    const Json& task = agent.tasks[i];
    const hwtopo::Cpuset bound = cpus_of(task);
    const auto cpus = number_of(member(task, "resources"), "cpus");
    const auto mem = number_of(member(task, "resources"), "mem");
    table.add({bound.empty() ? "" : std::string(1, task_letter(i)), shown(task, "task"),
               shown(task, "name"), paint_state(terminal, shown(task, "state")),
               cpus ? human_number(*cpus) : "-", mem ? human_mib(*mem) : "-",
               is_over(task)   ? "-"
               : bound.empty() ? "any"
                               : to_string(bound),
               shown(task, "started")});
  }
  return '\n' + table.render(terminal, true);
}

std::string machine_of(const Terminal& terminal, const hwtopo::Topology& topology,
                       const AgentAnswer& agent) {
  std::vector<hwtopo::Cpuset> taken;
  for (const Json& task : agent.tasks) taken.push_back(cpus_of(task));
  const std::string drawn =
      draw_machine(terminal, topology, agent.problem.empty() ? &taken : nullptr);
  return drawn.empty() ? "" : '\n' + drawn;
}

/// `draining since ...: new kernel; mode wait, 2 tasks, until ...`.
std::string service_of(const Json& node) {
  const std::string service = shown(node, "service");
  if (service.empty() || service == "normal") return {};
  std::string text = service + " since " + shown(node, "service_since");
  const std::string reason = shown(node, "service_reason");
  if (!reason.empty()) text += ": " + reason;
  const Json& drain = member(node, "drain");
  if (service != "draining" || !drain.is_object()) return text;
  const std::string end = shown(drain, "expected_end");
  return text + "; mode " + shown(drain, "mode") + ", " + shown(node, "tasks") +
         " tasks are left, " + (end.empty() ? "no known end" : "until " + end);
}

std::string window_of(const Json& window) {
  if (!window.is_object()) return {};
  const auto duration = number_of(window, "duration");
  return shown(window, "name") + " from " + shown(window, "start") +
         (duration ? " for " + human_span(*duration) : "");
}

std::string describe(const Terminal& terminal, const Json& node, const AgentAnswer& agent) {
  const std::string text = text_of(node, "topology");
  const auto topology = hwtopo::read_synthetic(text);
  Facts facts(terminal);
  facts.add("Node", shown(node, "id") + "  " + shown(node, "hostname"));
  facts.add("Status", node_status(terminal, node));
  facts.add("Service", service_of(node));
  for (const Json& blocker : member(member(node, "drain"), "blockers")) {
    if (blocker.is_string()) facts.add("Waits for", escape(blocker.get<std::string>()));
  }
  facts.add("Window", window_of(member(node, "window")));
  facts.add("Reserved", shown(node, "reserved"));
  facts.add("Has lost", shown(node, "reserved_missing"));
  facts.add("Address", shown(node, "http_address"));
  facts.add("Attributes", node_attributes(node));
  facts.add("Machine", topology ? hwtopo::to_string(*topology) : escape(text));
  return facts.text() + resources_of(terminal, node) +
         (topology ? machine_of(terminal, *topology, agent) : "") + tasks_of(terminal, agent);
}

Result<int> show_nodes(const Context& context, const std::vector<std::string>& names) {
  auto master = Master::find(context.master_flag);
  if (!master) return tl::unexpected(master.error());
  Json document = Json::array();
  std::string text;
  for (const std::string& name : names) {
    auto node = fetch_node(*master, name);
    if (!node) return tl::unexpected(node.error());
    if (context.names()) {
      text += shown(*node, "id") + '\n';
      continue;
    }
    const AgentAnswer agent = ask_agent(*master, *node);
    if (context.json()) {
      (*node)["task_list"] = agent.problem.empty() ? agent.tasks : Json();
      document.push_back(std::move(*node));
    } else {
      text += (text.empty() ? "" : "\n") + describe(context.out, *node, agent);
    }
  }
  if (context.json()) text = pretty(document.size() == 1 ? document.front() : document);
  context.print(text);
  return 0;
}

}  // namespace

Result<std::string> node_id(Master& master, const std::string& name) {
  return is_id(name) ? Result<std::string>(name) : id_of_host(master, name);
}

const std::vector<Verb>& node_verbs() {
  static const std::vector<Verb> all{
      {"node list", "[OPTIONS]", "lists nodes and what is in use on them",
       "The same as 'rmctl nodes'.", define_nodes},
      {"node show", "[OPTIONS] NODE...", "shows all of a node: resources, tasks, its cores",
       "NODE is an id such as a-1, or a host name. Each core is drawn as brackets around its "
       "hardware threads, and where the node's agent answers, each thread has the letter of the "
       "task that is bound to it.",
       define_node_show},
      {"node cordon", "[OPTIONS] NODE...", "starts nothing new there; what runs goes on", "",
       define_node_cordon},
      {"node uncordon", "NODE...", "starts jobs there again", "", define_node_uncordon},
      {"node drain", "[OPTIONS] NODE...", "empties nodes: nothing new starts, what runs ends",
       "SPAN is 90s, 15m, 2h or PT2H; a bare number is seconds. Jobs that are requeued start "
       "elsewhere and consume no retry, those that are killed have failed. A node that is away is "
       "drained when it returns. The drain outlives the master; 'rmctl node show' says what is "
       "left and until when.",
       define_node_drain},
      {"node undrain", "NODE...", "ends a drain at any time; jobs start there again", "",
       define_node_undrain},
      {"node down", "[OPTIONS] NODE...", "sends drained nodes away until they are up again",
       "The agent goes on asking, and is refused with the reason.", define_node_down},
      {"node up", "NODE...", "takes nodes that were down in again", "", define_node_up},
      {"node reserve", "[OPTIONS] NODE RESOURCES", "keeps what is not in use there for a role",
       "RESOURCES are such as 'cpus:2;mem:1024', or 'cpus(eng):2' of what is kept for eng already, "
       "for a role below it. It outlives the master and restarts of the node; 'rmctl node show' "
       "names it, and what of it the node has lost.",
       define_node_reserve},
      {"node unreserve", "[OPTIONS] NODE RESOURCES", "gives back what was reserved",
       "RESOURCES are as 'rmctl node show' names them, 'cpus(+eng):2', or as they were before, "
       "'cpus:2', with the role, principal and labels that they were reserved with.",
       define_node_unreserve},
      {"node create-volume", "[OPTIONS] NODE VOLUME RESOURCES", "makes a volume of reserved disk",
       "RESOURCES are as 'rmctl node show' names them, 'disk(+eng):1024'. A volume is one piece: "
       "it "
       "is offered as a whole, to the role that its disk is reserved for. It is kept in the books "
       "alone: nodes mount nothing.",
       define_node_create_volume},
      {"node destroy-volume", "[OPTIONS] NODE VOLUME", "makes it reserved disk again", "",
       define_node_destroy_volume},
  };
  return all;
}

Action define_node_show(CLI::App& app, Context& context) {
  const auto names = std::make_shared<std::vector<std::string>>();
  app.add_option("node", *names, "ids or host names")->type_name("NODE")->required();
  return [names, &context] { return show_nodes(context, *names); };
}

}  // namespace batch::cli
