// `rmctl node reserve`, create-volume and what undoes them: what a node keeps for a role.
#include <CLI/CLI.hpp>
#include <memory>

#include "librm/resource/resources.hpp"
#include "node_view.hpp"

namespace batch::cli {

using librm::ErrorCode;
using librm::fail;
using librm::Resource;
using librm::Resources;
using librm::Result;

namespace {

struct ReserveOptions {
  std::string node;
  std::string resources;
  std::string role;
  std::string principal;
  std::vector<std::string> labels;
};

struct VolumeOptions {
  std::string node;
  std::string volume;
  std::string resources;
  std::string principal;
  bool shared = false;
};

Result<Resources> read_resources(const std::string& text) {
  auto resources = Resources::parse(text);
  if (!resources) {
    return fail(ErrorCode::invalid_argument,
                "resources '" + escape(text) + "': " + escape(resources.error().message));
  }
  return resources;
}

Result<Json> labels_of(const ReserveOptions& options) {
  Json labels = Json::object();
  for (const std::string& label : options.labels) {
    const std::size_t equals = label.find('=');
    if (equals == 0 || equals == label.npos) {
      return fail(ErrorCode::invalid_argument, "--label " + escape(label) + ": need NAME=VALUE");
    }
    labels[label.substr(0, equals)] = label.substr(equals + 1);
  }
  return labels;
}

/// Amounts that are named as they were before they were reserved, as they are since.
Resources as_reserved(const Resources& named, const ReserveOptions& options, const Json& labels) {
  librm::Reservation layer{options.role, true, options.principal, {}};
  for (const auto& [name, value] : labels.items()) layer.labels[name] = value.get<std::string>();
  Resources reserved;
  for (Resource entry : named.list()) {
    if (entry.role() != options.role) entry.reservations.push_back(layer);
    reserved.add(std::move(entry));
  }
  return reserved;
}

Result<Json> reservation_body(const ReserveOptions& options, bool undo) {
  const auto labels = labels_of(options);
  if (!labels) return tl::unexpected(labels.error());
  const auto named = read_resources(options.resources);
  if (!named) return tl::unexpected(named.error());
  if (options.role.empty()) {
    if (options.principal.empty() && labels->empty()) return Json{{"resources", options.resources}};
    return fail(ErrorCode::invalid_argument, "--principal and --label need --role, too");
  }
  Json body{{"resources", to_string(undo ? as_reserved(*named, options, *labels) : *named)},
            {"role", options.role}};
  if (!options.principal.empty()) body["principal"] = options.principal;
  if (!labels->empty()) body["labels"] = *labels;
  return body;
}

/// Asks for it, and says what is reserved there since.
Result<int> operate(const Context& context, Master& master, const std::string& id,
                    const std::string& action, const Json& body) {
  const auto node =
      master.post("/v1/nodes/" + percent_encode(id) + '/' + action, body, new_idempotency_key());
  if (!node) return tl::unexpected(node.error());
  const std::string reserved = shown(*node, "reserved");
  if (context.json()) {
    context.print(pretty(*node));
  } else if (context.names()) {
    context.print(shown(*node, "id") + '\n');
  } else {
    context.note("node " + shown(*node, "id") + " (" + shown(*node, "hostname") +
                 "): " + (reserved.empty() ? "nothing is reserved" : "reserved " + reserved));
  }
  return 0;
}

Result<int> reserve(const Context& context, const ReserveOptions& options, bool undo) {
  const auto body = reservation_body(options, undo);
  if (!body) return tl::unexpected(body.error());
  auto master = Master::find(context.master_flag);
  if (!master) return tl::unexpected(master.error());
  const auto id = node_id(*master, options.node);
  if (!id) return tl::unexpected(id.error());
  return operate(context, *master, *id, undo ? "unreserve" : "reserve", *body);
}

Result<int> create_volume(const Context& context, const VolumeOptions& options) {
  const auto named = read_resources(options.resources);
  if (!named) return tl::unexpected(named.error());
  Json body{{"resources", to_string(*named)}, {"volume", options.volume}};
  if (options.shared) body["shared"] = true;
  if (!options.principal.empty()) body["principal"] = options.principal;
  auto master = Master::find(context.master_flag);
  if (!master) return tl::unexpected(master.error());
  const auto id = node_id(*master, options.node);
  if (!id) return tl::unexpected(id.error());
  return operate(context, *master, *id, "create-volume", body);
}

/// The volume of that name there, or what of it the node has lost.
Result<std::string> find_volume(const Json& node, const std::string& volume) {
  std::string others;
  for (const char* part : {"reserved", "reserved_missing"}) {
    const auto reserved = Resources::parse(text_of(node, part));
    if (!reserved) continue;
    for (const Resource& entry : reserved->list()) {
      if (!entry.volume) continue;
      if (entry.volume->id == volume) {
        Resources found;
        found.add(entry);
        return to_string(found);
      }
      others += (others.empty() ? "" : ", ") + escape(entry.volume->id);
    }
  }
  return fail(ErrorCode::not_found, "node " + shown(node, "id") + ": no volume " + escape(volume) +
                                        "; " +
                                        (others.empty() ? "it has none" : "it has " + others));
}

Result<int> destroy_volume(const Context& context, const VolumeOptions& options) {
  auto master = Master::find(context.master_flag);
  if (!master) return tl::unexpected(master.error());
  const auto id = node_id(*master, options.node);
  if (!id) return tl::unexpected(id.error());
  const auto node = master->get("/v1/nodes/" + percent_encode(*id));
  if (!node) return tl::unexpected(node.error());
  const auto found = find_volume(*node, options.volume);
  if (!found) return tl::unexpected(found.error());
  return operate(context, *master, *id, "destroy-volume", {{"resources", *found}});
}

void add_node(CLI::App& app, std::string& node) {
  app.add_option("node", node, "id or host name")->type_name("NODE")->required();
}

Action define_reservation(CLI::App& app, Context& context, bool undo) {
  const auto options = std::make_shared<ReserveOptions>();
  add_node(app, options->node);
  app.add_option("resources", options->resources, "such as 'cpus:2;mem:1024'")
      ->type_name("RESOURCES")
      ->required();
  auto* role = app.add_option("--role", options->role, "for whom")->type_name("ROLE");
  if (!undo) role->required();
  app.add_option("--principal", options->principal, "who says so")->type_name("TEXT");
  app.add_option("--label", options->labels, "is kept with it; repeatable")
      ->type_name("NAME=VALUE");
  return [options, undo, &context] { return reserve(context, *options, undo); };
}

}  // namespace

Action define_node_reserve(CLI::App& app, Context& context) {
  return define_reservation(app, context, false);
}

Action define_node_unreserve(CLI::App& app, Context& context) {
  return define_reservation(app, context, true);
}

Action define_node_create_volume(CLI::App& app, Context& context) {
  const auto options = std::make_shared<VolumeOptions>();
  add_node(app, options->node);
  app.add_option("volume", options->volume, "what it is called there")
      ->type_name("VOLUME")
      ->required();
  app.add_option("resources", options->resources, "reserved disk, such as 'disk(+eng):1024'")
      ->type_name("RESOURCES")
      ->required();
  app.add_flag("--shared", options->shared, "several tasks may use it at once");
  app.add_option("--principal", options->principal, "who says so")->type_name("TEXT");
  return [options, &context] { return create_volume(context, *options); };
}

Action define_node_destroy_volume(CLI::App& app, Context& context) {
  const auto options = std::make_shared<VolumeOptions>();
  add_node(app, options->node);
  app.add_option("volume", options->volume, "what it is called there")
      ->type_name("VOLUME")
      ->required();
  return [options, &context] { return destroy_volume(context, *options); };
}

}  // namespace batch::cli
