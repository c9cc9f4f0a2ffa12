// The fields of roles, quotas and operations, in both directions.
#include "http/role_json.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <set>
#include <utility>

#include "batch/edge/job_json.hpp"
#include "http/fields.hpp"
#include "librm/alloc/allocator.hpp"

namespace librm::http {

using batch::InputResult;
using Value = nlohmann::json;

namespace {

constexpr double amount_max = 999'999'999'999.999;
constexpr std::size_t scalars_max = 256;

Json amounts_to_json(const Amounts& amounts) {
  Json object = Json::object();
  for (const auto& [name, amount] : amounts) object[name] = batch::amount_to_json(amount);
  return object;
}

/// What of the cluster is in offers to a role, and kept for it, each with the roles below.
struct Sums {
  Amounts offered;
  Amounts reserved;
};
using SumsByRole = std::map<std::string, Sums, std::less<>>;

void add_scalars(SumsByRole& sums, Amounts Sums::*part, std::string_view role,
                 const Resource& entry) {
  const auto* amount = std::get_if<Amount>(&entry.value);
  if (amount == nullptr) return;
  for (;;) {
    (sums.try_emplace(std::string(role)).first->second.*part)[entry.name] += *amount;
    const std::size_t slash = role.rfind('/');
    if (slash == role.npos) return;
    role = role.substr(0, slash);
  }
}

SumsByRole sums_of(const Allocator& allocator) {
  SumsByRole sums;
  for (const auto& agent : allocator.agents()) {
    for (const Resource& entry : agent.total->list()) {
      if (!entry.reservations.empty()) add_scalars(sums, &Sums::reserved, entry.role(), entry);
    }
  }
  for (const auto& framework : allocator.frameworks()) {
    for (const Offer* offer : allocator.offers_of(framework.framework)) {
      for (const Resource& entry : offer->resources.list()) {
        add_scalars(sums, &Sums::offered, offer->role, entry);
      }
    }
  }
  return sums;
}

/// By name: what the allocator knows, and those that nobody is in, but something is kept for.
std::vector<Allocator::RoleView> views_of(const Allocator& allocator, const SumsByRole& sums) {
  std::vector<Allocator::RoleView> views = allocator.roles();
  std::set<std::string, std::less<>> known;
  for (const auto& view : views) known.insert(view.role);
  for (const auto& [role, sum] : sums) {
    if (known.contains(role)) continue;
    Allocator::RoleView& view = views.emplace_back();
    view.role = role;
    view.weight_milli = 1000;
  }
  std::sort(views.begin(), views.end(),
            [](const auto& left, const auto& right) { return left.role < right.role; });
  return views;
}

Amounts amounts_of(const Resources& resources) {
  Amounts amounts;
  for (const Resource& entry : resources.list()) amounts[entry.name] += amount_of(entry);
  return amounts;
}

/// Its dominant share, offers included: of which resource it has most, as a part of the cluster.
Json share_of(const Amounts& has, const Amounts& cluster,
              const std::set<std::string, std::less<>>& unfair) {
  double largest = 0;
  const std::string* dominant = nullptr;
  for (const auto& [name, amount] : has) {
    const auto total = cluster.find(name);
    if (total == cluster.end() || total->second.milli <= 0 || unfair.contains(name)) continue;
    const double part =
        static_cast<double>(amount.milli) / static_cast<double>(total->second.milli);
    if (part <= largest) continue;
    largest = part;
    dominant = &name;
  }
  if (dominant == nullptr) return nullptr;
  return {{"resource", *dominant}, {"part", std::round(largest * 1e6) / 1e6}};
}

Json role_entry(const MasterCore& master, const Allocator::RoleView& view, const SumsByRole& sums) {
  const auto own = sums.find(view.role);
  const Sums& sum = own == sums.end() ? Sums{} : own->second;
  const Amounts has = amounts_of(view.held);
  Amounts held = has;
  for (const auto& [name, amount] : sum.offered) {
    const auto at = held.find(name);
    if (at == held.end()) continue;
    at->second -= amount;
    if (at->second.milli <= 0) held.erase(at);
  }
  Json frameworks = Json::array();
  for (const FrameworkId id : view.frameworks) frameworks.push_back(librm::to_string(id));
  Json quota;
  const auto known = master.quotas().find(view.role);
  if (known != master.quotas().end()) {
    quota = {{"guarantees", amounts_to_json(known->second.guarantees)},
             {"limits", amounts_to_json(known->second.limits)}};
  }
  return {{"role", view.role},
          {"weight", batch::amount_to_json(Amount{view.weight_milli})},
          {"share", share_of(has, amounts_of(master.allocator().total()),
                             master.options().allocator.unfair)},
          {"held", amounts_to_json(held)},
          {"offered", amounts_to_json(sum.offered)},
          {"reserved", amounts_to_json(sum.reserved)},
          {"fair", batch::resources_to_json(view.fair)},
          {"quota", std::move(quota)},
          {"consumed", batch::resources_to_json(view.consumed)},
          {"frameworks", std::move(frameworks)}};
}

/// Whole thousandths; what is finer than these would be another amount than was meant.
std::optional<Amount> read_amount(const Value& value) {
  if (!value.is_number()) return std::nullopt;
  const double number = value.get<double>();
  if (!(number >= 0) || number > amount_max) return std::nullopt;
  const double milli = number * 1e3;
  const std::int64_t whole = std::llround(milli);
  if (std::fabs(milli - static_cast<double>(whole)) > 1e-6 * std::max(1.0, milli * 1e-9)) {
    return std::nullopt;
  }
  return Amount{whole};
}

void read_amounts(Fields& fields, const char* name, Amounts& target) {
  const Value* object = fields.find(name);
  if (object == nullptr) return;
  if (!object->is_object() || object->size() > scalars_max) {
    return fields.wrong(name, "expected an object of amounts, such as {\"cpus\": 10}");
  }
  for (const auto& [scalar, value] : object->items()) {
    const auto amount = read_amount(value);
    const auto valid = parse_request(scalar + ":1");
    if (!valid || valid->amounts.size() != 1 || !valid->amounts.contains(scalar)) {
      fields.wrong(name, "'" + scalar.substr(0, 64) + "' is not the name of a resource");
    } else if (!amount) {
      fields.wrong(std::string(name) + "/" + scalar,
                   "expected a number of 0 or more with at most three decimals");
    } else {
      target[scalar] = *amount;
    }
  }
}

void read_labels(Fields& fields, Reservation& reservation) {
  const Value* labels = fields.find("labels");
  if (labels == nullptr) return;
  if (!labels->is_object() || labels->size() > scalars_max) {
    return fields.wrong("labels", "expected an object of texts");
  }
  for (const auto& [name, value] : labels->items()) {
    if (name.empty()) {
      fields.wrong("labels", "expected a name for each");
    } else if (!value.is_string()) {
      fields.wrong("labels/" + name, "expected a text");
    } else {
      reservation.labels[name] = value.get<std::string>();
    }
  }
}

void read_reservation(Fields& fields, Reservation& reservation) {
  reservation.dynamic = true;
  fields.text("role", reservation.role);
  fields.text("principal", reservation.principal);
  read_labels(fields, reservation);
  if (auto valid = check_role(reservation.role); !valid) {
    fields.wrong("role", valid.error().message);
  }
}

/// What is given back names its reservation, which need not be said again.
void read_named_reservation(Fields& fields, Operation& operation) {
  for (const char* name : {"role", "principal", "labels"}) {
    if (fields.find(name) != nullptr) return read_reservation(fields, operation.reservation);
  }
  if (operation.resources.empty()) return;
  const Resource& first = operation.resources.list().front();
  if (first.reservations.empty()) {
    return fields.wrong("resources", key_of(first) +
                                         " is not reserved; name the reservation, too, "
                                         "such as \"cpus(+eng):2\"");
  }
  operation.reservation = first.reservations.back();
}

void read_volume(Fields& fields, Volume& volume) {
  fields.text("volume", volume.id);
  fields.text("principal", volume.principal);
  fields.flag("shared", volume.shared);
  if (volume.id.empty()) fields.wrong("volume", "expected the id of a volume");
}

void read_named_volume(Fields& fields, Operation& operation) {
  for (const char* name : {"volume", "principal", "shared"}) {
    if (fields.find(name) != nullptr) return read_volume(fields, operation.volume);
  }
  if (operation.resources.empty()) return;
  const Resource& first = operation.resources.list().front();
  if (!first.volume) {
    return fields.wrong("resources", key_of(first) +
                                         " is no volume; name it, too, such as "
                                         "\"disk(+eng)[db1]:10\"");
  }
  operation.volume = *first.volume;
}

/// Whether what it makes can be named afterwards: words have a largest length as text.
bool is_readable(const Operation& operation) {
  const auto conversion = convert(operation);
  if (!conversion) return true;  // refused with a reason of its own
  const auto read = Resources::parse(to_string(conversion->converted));
  return read && *read == conversion->converted;
}

}  // namespace

Json roles_to_json(const MasterCore& master) {
  Json list = Json::array();
  const SumsByRole sums = sums_of(master.allocator());
  const auto views = views_of(master.allocator(), sums);
  for (const auto& view : views) {
    list.push_back(role_entry(master, view, sums));
  }
  Json recovery;
  if (const auto& waits = master.recovery()) {
    recovery = {{"known", waits->known}, {"back", waits->back}, {"needed", waits->needed}};
  }
  return {{"roles", std::move(list)}, {"recovery", std::move(recovery)}};
}

std::optional<Json> role_to_json(const MasterCore& master, const std::string& role) {
  const SumsByRole sums = sums_of(master.allocator());
  const auto views = views_of(master.allocator(), sums);
  for (const auto& view : views) {
    if (view.role != role) continue;
    Json json = role_entry(master, view, sums);
    json["why"] = master.allocator().explain_role(role);
    if (const auto& waits = master.recovery()) {
      json["why"].push_back("nothing is offered yet: " + std::to_string(waits->back) + " of " +
                            std::to_string(waits->known) + " known nodes are back, " +
                            std::to_string(waits->needed) + " are waited for");
    }
    return json;
  }
  return std::nullopt;
}

InputResult<Quota> quota_from_json(std::string_view body) {
  auto document = parse_object(body);
  if (!document) return tl::unexpected(std::move(document.error()));
  FieldErrors errors;
  Fields fields(*document, "", errors);
  Quota quota;
  read_amounts(fields, "guarantees", quota.guarantees);
  read_amounts(fields, "limits", quota.limits);
  fields.refuse_others();
  if (errors.empty() && quota.guarantees.empty() && quota.limits.empty()) {
    fields.wrong("limits", "a quota has guarantees or limits; DELETE removes it");
  }
  if (!errors.empty()) return tl::unexpected(input_error(std::move(errors)));
  return quota;
}

InputResult<std::int64_t> weight_from_json(std::string_view body) {
  auto document = parse_object(body);
  if (!document) return tl::unexpected(std::move(document.error()));
  FieldErrors errors;
  Fields fields(*document, "", errors);
  const Value* value = fields.find("weight");
  const auto weight = value == nullptr ? std::nullopt : read_amount(*value);
  if (!weight || weight->milli == 0 || weight->milli > 1'000'000'000) {
    fields.wrong("weight", "expected a number from 0.001 to 1000000, with three decimals at most");
  }
  fields.refuse_others();
  if (!errors.empty()) return tl::unexpected(input_error(std::move(errors)));
  return weight->milli;
}

InputResult<Operation> operation_from_json(std::string_view body, OperationKind kind) {
  auto document = parse_object(body);
  if (!document) return tl::unexpected(std::move(document.error()));
  FieldErrors errors;
  Fields fields(*document, "", errors);
  Operation operation;
  operation.kind = kind;
  std::string text;
  fields.text("resources", text);
  auto resources = Resources::parse(text);
  if (!resources) {
    fields.wrong("resources", resources.error().message);
  } else if (resources->empty()) {
    fields.wrong("resources", "expected resources such as \"cpus:2;mem:1024\"");
  } else {
    operation.resources = std::move(*resources);
  }
  if (kind == OperationKind::reserve) read_reservation(fields, operation.reservation);
  if (kind == OperationKind::unreserve) read_named_reservation(fields, operation);
  if (kind == OperationKind::create_volume) read_volume(fields, operation.volume);
  if (kind == OperationKind::destroy_volume) read_named_volume(fields, operation);
  fields.refuse_others();
  if (errors.empty() && !is_readable(operation)) {
    errors.push_back(
        {"", "a principal, label or volume is too long: at most 255 bytes as written"});
  }
  if (!errors.empty()) return tl::unexpected(input_error(std::move(errors)));
  return operation;
}

void add_reservations(Json& node, const MasterCore::Agent& agent) {
  node["reserved"] = librm::to_string(agent.made);
  node["reserved_missing"] = librm::to_string(agent.missing);
}

}  // namespace librm::http
