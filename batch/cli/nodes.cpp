// `rmctl nodes` and `rmctl version`: the cluster itself.
#include <CLI/CLI.hpp>
#include <memory>

#include "node_view.hpp"
#include "table.hpp"
#include "verb.hpp"

namespace batch::cli {

using librm::Result;

namespace {

/// `2/8`: held of total.
std::string used_of(const Json& node, const char* resource, std::string (*format)(double)) {
  const auto total = number_of(member(node, "total"), resource);
  if (!total) return "-";
  return format(number_of(member(node, "held"), resource).value_or(0)) + '/' + format(*total);
}

Result<int> version(const Context& context) {
  Json versions{{"apiVersion", "librm/v1"}, {"client", {{"version", RM_VERSION}}}};
  auto master = Master::find(context.master_flag);
  if (!master) return tl::unexpected(master.error());
  const auto server = master->get("/v1/version");
  if (server)
    versions["server"] = {{"version", text_of(*server, "version")}, {"address", master->address()}};
  if (context.json()) {
    context.print(pretty(versions));
  } else {
    context.print(std::string("client  ") + RM_VERSION + '\n');
    if (server) {
      context.print("server  " + shown(*server, "version") + "  at " + master->address() + '\n');
    }
  }
  if (!server) return tl::unexpected(server.error());
  return 0;
}

}  // namespace

std::string node_attributes(const Json& node) {
  std::string text;
  const Json& all = member(node, "attributes");
  if (!all.is_object()) return text;
  for (const auto& [name, value] : all.items()) {
    text += (text.empty() ? "" : ",") + escape(name) + '=' + shown(all, name.c_str());
  }
  return text;
}

std::string node_status(const Terminal& terminal, const Json& node) {
  const Json& connected = member(node, "connected");
  const bool away = connected.is_boolean() && !connected.get<bool>();
  const std::string status = shown(node, "status");
  const std::string service = shown(node, "service");
  const bool out = !service.empty() && service != "normal";
  return paint_state(terminal, status) + (out ? ", " + service : "") +
         (away && status == "admitted" ? " (away)" : "");
}

namespace {

Result<int> list_nodes(const Context& context) {
  auto master = Master::find(context.master_flag);
  if (!master) return tl::unexpected(master.error());
  const auto answer = master->get("/v1/nodes");
  if (!answer) return tl::unexpected(answer.error());
  const Json& all = member(*answer, "nodes");
  if (context.json()) {
    context.print(pretty(*answer));
    return 0;
  }
  std::vector<Column> columns{{"ID"},        {"HOSTNAME", false, true},
                              {"STATUS"},    {"CPUS", true},
                              {"MEM", true}, {"TASKS", true}};
  if (context.wide()) {
    columns.insert(columns.end(), {{"DISK", true}, {"ADDRESS"}, {"ATTRIBUTES", false, true}});
  }
  Table table(columns);
  for (const Json& node : all) {
    if (context.names()) {
      context.print(shown(node, "id") + '\n');
      continue;
    }
    std::vector<std::string> row{shown(node, "id"),
                                 shown(node, "hostname"),
                                 node_status(context.out, node),
                                 used_of(node, "cpus", human_number),
                                 used_of(node, "mem", human_mib),
                                 shown(node, "tasks")};
    if (context.wide()) {
      row.insert(row.end(), {used_of(node, "disk", human_mib), shown(node, "http_address"),
                             node_attributes(node)});
    }
    table.add(std::move(row));
  }
  if (!table.empty()) context.print(table.render(context.out, !context.no_headers));
  const std::string pause = text_of(*answer, "rescheduling_pause");
  if (!pause.empty()) context.note(pause);
  if (all.empty()) context.note("no nodes: start agents with 'rm-agent'");
  return 0;
}

}  // namespace

Action define_nodes(CLI::App&, Context& context) {
  return [&context] { return list_nodes(context); };
}

Action define_version(CLI::App&, Context& context) {
  return [&context] { return version(context); };
}

}  // namespace batch::cli
