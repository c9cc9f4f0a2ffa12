// `rmctl role`: who shares the cluster, what each has and is owed, and what operators say to that.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <set>
#include <tuple>

#include "facts.hpp"
#include "json_view.hpp"
#include "librm/base/amount.hpp"
#include "librm/resource/reservation.hpp"
#include "master.hpp"
#include "table.hpp"
#include "terminal.hpp"
#include "text.hpp"
#include "verb.hpp"

namespace batch::cli {

using librm::ErrorCode;
using librm::fail;
using librm::Result;

namespace {

/// What is no role has no path either.
Result<std::string> path_of(const std::string& role) {
  if (auto valid = librm::check_role(role); !valid) {
    return fail(ErrorCode::invalid_argument, escape(valid.error().message));
  }
  return "/v1/roles/" + percent_encode(role);
}

/// `cpus:2;mem:1024`, as it is given.
std::string amounts_text(const Json& amounts) {
  std::string text;
  if (!amounts.is_object()) return text;
  for (const auto& [name, value] : amounts.items()) {
    if (!value.is_number()) continue;
    text += (text.empty() ? "" : ";") + escape(name) + ':' + human_number(value.get<double>());
  }
  return text;
}

/// `sure of cpus:1, at most cpus:3`.
std::string quota_text(const Json& role) {
  const Json& quota = member(role, "quota");
  const std::string least = amounts_text(member(quota, "guarantees"));
  const std::string most = amounts_text(member(quota, "limits"));
  if (most.empty()) return least.empty() ? "no quota" : "sure of " + least;
  return (least.empty() ? "" : "sure of " + least + ", ") + "at most " + most;
}

std::string frameworks_text(const Json& role) {
  std::string text;
  for (const Json& framework : member(role, "frameworks")) {
    if (framework.is_string()) text += (text.empty() ? "" : ",") + framework.get<std::string>();
  }
  return escape(text);
}

std::string weight_text(const Json& role) {
  const auto weight = number_of(role, "weight");
  return weight ? human_number(*weight) : "";
}

/// `25% cpus`: of what it has most.
std::string share_text(const Json& role) {
  const Json& share = member(role, "share");
  const auto part = number_of(share, "part");
  if (!part) return "0%";
  return human_number(std::round(*part * 1000) / 10) + "% " + shown(share, "resource");
}

std::string or_dash(std::string text) { return text.empty() ? "-" : text; }

/// `1.5G`: memory and disk are in MiB.
std::string amount_text(const Json& amounts, const std::string& name) {
  const double amount = number_of(amounts, name.c_str()).value_or(0);
  return name == "mem" || name == "disk" ? human_mib(amount) : human_number(amount);
}

/// `1/4`: held of the fair share.
std::string used_of(const Json& role, const char* name) {
  return amount_text(member(role, "held"), name) + '/' + amount_text(member(role, "fair"), name);
}

std::string list_text(const Context& context, const Json& answer) {
  std::vector<Column> columns{{"ROLE"},
                              {"WEIGHT", true},
                              {"SHARE", true},
                              {"CPUS", true},
                              {"MEM", true},
                              {"GUARANTEE", false, true},
                              {"LIMIT", false, true},
                              {"FRAMEWORKS", false, true}};
  if (context.wide()) {
    columns.insert(columns.end(), {{"OFFERED", false, true}, {"RESERVED", false, true}});
  }
  Table table(columns);
  for (const Json& role : member(answer, "roles")) {
    const Json& quota = member(role, "quota");
    std::vector<std::string> row{shown(role, "role"),
                                 or_dash(weight_text(role)),
                                 share_text(role),
                                 used_of(role, "cpus"),
                                 used_of(role, "mem"),
                                 or_dash(amounts_text(member(quota, "guarantees"))),
                                 or_dash(amounts_text(member(quota, "limits"))),
                                 or_dash(frameworks_text(role))};
    if (context.wide()) {
      row.insert(row.end(), {or_dash(amounts_text(member(role, "offered"))),
                             or_dash(amounts_text(member(role, "reserved")))});
    }
    table.add(std::move(row));
  }
  return table.empty() ? "No roles.\n" : table.render(context.out, !context.no_headers);
}

Result<int> list(const Context& context) {
  auto master = Master::find(context.master_flag);
  if (!master) return tl::unexpected(master.error());
  const auto answer = master->get("/v1/roles");
  if (!answer) return tl::unexpected(answer.error());
  if (context.json()) {
    context.print(pretty(*answer));
  } else if (context.names()) {
    for (const Json& role : member(*answer, "roles")) context.print(shown(role, "role") + '\n');
  } else {
    context.print(list_text(context, *answer));
    const Json& waits = member(*answer, "recovery");
    if (waits.is_object()) {
      context.note("nothing is offered yet: " + shown(waits, "back") + " of " +
                   shown(waits, "known") + " known nodes are back, " + shown(waits, "needed") +
                   " are waited for");
    }
  }
  return 0;
}

/// Every resource of which anything is said.
std::set<std::string> resources_of(const Json& role) {
  std::set<std::string> names;
  const Json& quota = member(role, "quota");
  for (const Json* part :
       {&member(role, "held"), &member(role, "offered"), &member(role, "reserved"),
        &member(role, "fair"), &member(quota, "guarantees"), &member(quota, "limits")}) {
    if (!part->is_object()) continue;
    for (const auto& [name, value] : part->items()) names.insert(name);
  }
  return names;
}

std::string amounts_table(const Terminal& terminal, const Json& role) {
  const Json& quota = member(role, "quota");
  std::vector<Column> columns{
      {"RESOURCE"}, {"HELD", true}, {"OFFERED", true}, {"RESERVED", true}, {"FAIR", true}};
  if (quota.is_object()) {
    columns.insert(columns.end(), {{"GUARANTEE", true}, {"LIMIT", true}, {"COUNTED", true}});
  }
  Table table(columns);
  for (const std::string& name : resources_of(role)) {
    std::vector<std::string> row{escape(name)};
    for (const char* part : {"held", "offered", "reserved", "fair"}) {
      row.push_back(amount_text(member(role, part), name));
    }
    if (quota.is_object()) {
      for (const char* part : {"guarantees", "limits"}) {
        const Json& amounts = member(quota, part);
        row.push_back(amounts.contains(name) ? amount_text(amounts, name) : "-");
      }
      row.push_back(amount_text(member(role, "consumed"), name));
    }
    table.add(std::move(row));
  }
  return table.empty() ? "" : '\n' + table.render(terminal, true);
}

/// Why it waits, without what the table says.
std::string status_of(const Json& role) {
  const std::string subject = "role " + text_of(role, "role") + ": ";
  const std::set<std::string> resources = resources_of(role);
  std::string text;
  for (const Json& line : member(role, "why")) {
    if (!line.is_string()) continue;
    std::string why = line.get<std::string>();
    if (why.starts_with(subject)) why.erase(0, subject.size());
    if (resources.contains(why.substr(0, why.find(": has ")))) continue;
    text += (text.empty() ? "" : "; ") + escape(why);
  }
  return text;
}

std::string describe(const Terminal& terminal, const Json& role) {
  Facts facts(terminal);
  facts.add("Role", shown(role, "role"));
  facts.add("Weight", weight_text(role));
  facts.add("Share", share_text(role));
  facts.add("Frameworks", frameworks_text(role));
  facts.add("Status", status_of(role));
  return facts.text() + amounts_table(terminal, role);
}

Result<int> show(const Context& context, const std::vector<std::string>& names) {
  auto master = Master::find(context.master_flag);
  if (!master) return tl::unexpected(master.error());
  Json document = Json::array();
  std::string text;
  for (const std::string& name : names) {
    const auto path = path_of(name);
    if (!path) return tl::unexpected(path.error());
    auto role = master->get(*path);
    if (!role) return tl::unexpected(role.error());
    text += context.names() ? shown(*role, "role") + '\n'
                            : (text.empty() ? "" : "\n") + describe(context.out, *role);
    document.push_back(std::move(*role));
  }
  if (context.json()) text = pretty(document.size() == 1 ? document.front() : document);
  context.print(text);
  return 0;
}

/// What a change made of the role, in a line.
Result<int> report(const Context& context, const Result<Json>& role, const std::string& what) {
  if (!role) return tl::unexpected(role.error());
  if (context.json()) {
    context.print(pretty(*role));
  } else if (context.names()) {
    context.print(shown(*role, "role") + '\n');
  } else {
    context.note("role " + shown(*role, "role") + ": " + what);
  }
  return 0;
}

constexpr std::int64_t weight_milli_max = 1'000'000'000;

struct WeightOptions {
  std::string role;
  std::string weight;
  bool clear = false;
};

Result<int> set_weight(const Context& context, const WeightOptions& options) {
  if (options.clear == !options.weight.empty()) {
    return fail(ErrorCode::invalid_argument, "give a weight, or --clear");
  }
  const auto path = path_of(options.role);
  if (!path) return tl::unexpected(path.error());
  const auto weight = librm::parse_amount(options.clear ? "1" : options.weight);
  if (!weight || weight->milli < 1 || weight->milli > weight_milli_max) {
    return fail(ErrorCode::invalid_argument, "weight '" + escape(options.weight) +
                                                 "': need a number from 0.001 to 1000000, with "
                                                 "three decimals at most");
  }
  auto master = Master::find(context.master_flag);
  if (!master) return tl::unexpected(master.error());
  const double number = static_cast<double>(weight->milli) / 1e3;
  const auto role = options.clear ? master->remove(*path + "/weight")
                                  : master->put(*path + "/weight", {{"weight", number}});
  return report(context, role, "weight " + human_number(number));
}

struct QuotaOptions {
  std::string role;
  std::optional<std::string> guarantee;
  std::optional<std::string> limit;
  bool force = false;
  bool clear = false;
};

/// A limit of zero counts, so this is not a request.
Result<Json> amounts_of(const std::string& flag, const std::string& text) {
  Json amounts = Json::object();
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find(';', begin), text.size());
    const std::string part = text.substr(begin, end - begin);
    begin = end + 1;
    const std::size_t colon = part.find(':');
    const auto amount =
        colon == part.npos ? std::nullopt : librm::parse_amount(part.substr(colon + 1));
    const std::string name = part.substr(0, colon);
    if (!amount || name.empty() || amounts.contains(name)) {
      return fail(ErrorCode::invalid_argument, flag + " '" + escape(part) +
                                                   "': need amounts such as 'cpus:10;mem:20480', "
                                                   "each name once");
    }
    amounts[name] = static_cast<double>(amount->milli) / 1e3;
  }
  return amounts;
}

/// What may be so for a while; no quota is set that contradicts another.
bool can_be_forced(ErrorCode code) {
  return code == ErrorCode::failed_precondition || code == ErrorCode::resource_exhausted;
}

Result<int> set_quota(const Context& context, const QuotaOptions& options) {
  const bool sets = options.guarantee || options.limit;
  if (options.clear == sets) {
    return fail(ErrorCode::invalid_argument, "give --guarantee, --limit or both, or --clear");
  }
  Json body = Json::object();
  for (const auto& [name, flag, text] :
       {std::tuple("guarantees", "--guarantee", &options.guarantee),
        std::tuple("limits", "--limit", &options.limit)}) {
    if (!*text) continue;
    auto amounts = amounts_of(flag, **text);
    if (!amounts) return tl::unexpected(amounts.error());
    body[name] = std::move(*amounts);
  }
  const auto path = path_of(options.role);
  if (!path) return tl::unexpected(path.error());
  auto master = Master::find(context.master_flag);
  if (!master) return tl::unexpected(master.error());
  if (options.clear) return report(context, master->remove(*path + "/quota"), "no quota");
  auto role = master->put(*path + "/quota" + (options.force ? "?force=1" : ""), body);
  if (!role && !options.force && can_be_forced(role.error().code)) {
    role.error().message += "; --force sets it all the same";
  }
  return report(context, role, role ? quota_text(*role) : "");
}

}  // namespace

const std::vector<Verb>& role_verbs() {
  static const std::vector<Verb> all{
      {"role list", "[OPTIONS]", "lists roles: what they have, and what they are owed",
       "SHARE is of what a role has most of, as a part of the cluster. CPUS and MEM are what its "
       "tasks "
       "hold, of its fair share: what it is owed if everybody who competes wants more. Amounts of "
       "a "
       "role include those of the roles below it.",
       define_role_list},
      {"role show", "[OPTIONS] ROLE...", "shows roles, and why they wait",
       "COUNTED is what counts for the quota: what is held or offered, and all that is reserved "
       "for "
       "the role on nodes, used or not.",
       define_role_show},
      {"role weight", "[OPTIONS] ROLE [WEIGHT]", "sets a role's share among others",
       "Beside a role of weight 1, one of weight 2 is owed twice as much. What is offered and held "
       "already moves nowhere.",
       define_role_weight},
      {"role quota", "[OPTIONS] ROLE", "sets what a role is sure of, and gets at most",
       "AMOUNTS are such as 'cpus:10;mem:20480'. The quota is replaced as a whole: what is not "
       "named is neither guaranteed nor limited. Roles below it count. Offers that are in the way "
       "are taken back, what runs goes on.",
       define_role_quota},
  };
  return all;
}

Action define_role_list(CLI::App&, Context& context) {
  return [&context] { return list(context); };
}

Action define_role_show(CLI::App& app, Context& context) {
  const auto names = std::make_shared<std::vector<std::string>>();
  app.add_option("role", *names, "such as eng or eng/backend")->type_name("ROLE")->required();
  return [names, &context] { return show(context, *names); };
}

Action define_role_weight(CLI::App& app, Context& context) {
  const auto options = std::make_shared<WeightOptions>();
  app.add_option("role", options->role, "such as eng")->type_name("ROLE")->required();
  app.add_option("weight", options->weight, "0.001 to 1000000")->type_name("WEIGHT");
  app.add_flag("--clear", options->clear, "as if nothing had been said: 1");
  return [options, &context] { return set_weight(context, *options); };
}

Action define_role_quota(CLI::App& app, Context& context) {
  const auto options = std::make_shared<QuotaOptions>();
  app.add_option("role", options->role, "such as eng")->type_name("ROLE")->required();
  app.add_option("--guarantee", options->guarantee, "what it is sure of")->type_name("AMOUNTS");
  app.add_option("--limit", options->limit, "what it gets at most")->type_name("AMOUNTS");
  app.add_flag("--force", options->force,
               "also where more is used already, or guarantees are above the cluster");
  app.add_flag("--clear", options->clear, "takes its quota away");
  return [options, &context] { return set_quota(context, *options); };
}

}  // namespace batch::cli
