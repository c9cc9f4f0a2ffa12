// The C interface of what is passed around: errors, texts, lists, demands, options.
#include "handle.hpp"

namespace librm::c {

std::set<std::string, std::less<>> names(const char* given, const char* name) {
  std::set<std::string, std::less<>> found;
  std::string_view rest = text(given, name);
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(';'), rest.size());
    std::string_view one = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    while (!one.empty() && one.front() == ' ') one.remove_prefix(1);
    while (!one.empty() && one.back() == ' ') one.remove_suffix(1);
    if (!one.empty()) found.emplace(one);
  }
  return found;
}

std::vector<OfferId> offer_ids(const std::uint64_t* offers, std::size_t count) {
  if (count == 0) raise(RM_INVALID_ARGUMENT, "offers: none is named");
  if (count > 10'000) {
    raise(RM_INVALID_ARGUMENT, "offers: " + std::to_string(count) + " are named, limit 10000");
  }
  need(offers, "offers");
  std::vector<OfferId> ids;
  for (std::size_t i = 0; i < count; ++i) ids.push_back(id<OfferId>(offers[i], "offer"));
  return ids;
}

std::vector<Demand> demands_of(const rm_demand* const* demands, std::size_t count) {
  if (count > 10'000) {
    raise(RM_INVALID_ARGUMENT, "demands: " + std::to_string(count) + ", limit 10000");
  }
  std::vector<Demand> list;
  if (count > 0) need(demands, "demands");
  for (std::size_t i = 0; i < count; ++i) list.push_back(need(demands[i], "demand").demand);
  return list;
}

char* new_text(std::string_view value) {
  char* copy = static_cast<char*>(std::malloc(value.size() + 1));
  if (copy == nullptr) throw std::bad_alloc();
  std::memcpy(copy, value.data(), value.size());
  copy[value.size()] = '\0';
  return copy;
}

rm_ids* new_ids(const std::vector<OfferId>& offers) {
  auto list = std::make_unique<rm_ids>();
  for (const OfferId offer : offers) list->list.push_back(offer.value);
  return list.release();
}

rm_offers* new_offers(std::vector<Offer> offers) {
  auto list = std::make_unique<rm_offers>();
  for (Offer& offer : offers) {
    std::string resources = to_string(offer.resources);
    list->list.push_back({std::move(offer), std::move(resources)});
  }
  return list.release();
}

}  // namespace librm::c

namespace c = librm::c;
using namespace librm;

uint32_t rm_abi_version(void) { return RM_ABI_VERSION; }

// --- errors and texts ---

const char* rm_code_name(rm_code code) {
  if (code == RM_OK) return "ok";
  if (code == RM_INTERNAL) return "internal";
  if (code < RM_OK || code > RM_INTERNAL) return "unknown";
  return to_string(static_cast<ErrorCode>(code));
}

rm_code rm_error_code(const rm_error* error) {
  return error == nullptr ? RM_OK : static_cast<rm_code>(error->error.code);
}
const char* rm_error_message(const rm_error* error) {
  return error == nullptr ? "" : error->error.message.c_str();
}
void rm_error_free(rm_error* error) { delete error; }
void rm_text_free(char* text) { std::free(text); }

rm_code rm_select(const char* request, const char* resources, const char* role, char** chosen,
                  rm_error** error) {
  return c::call(error, [&] {
    char*& out = c::need(chosen, "chosen");
    const Request wanted = c::take(parse_request(c::text(request, "request")));
    const Resources offered = c::take(Resources::parse(c::text(resources, "resources")));
    const std::string_view whose = c::text(role, "role");
    out = c::new_text(to_string(c::take(select(wanted, offered, whose))));
  });
}

// --- lists ---

size_t rm_ids_count(const rm_ids* ids) { return ids == nullptr ? 0 : ids->list.size(); }
uint64_t rm_ids_at(const rm_ids* ids, size_t index) {
  return index < rm_ids_count(ids) ? ids->list[index] : 0;
}
void rm_ids_free(rm_ids* ids) { delete ids; }

size_t rm_offers_count(const rm_offers* offers) {
  return offers == nullptr ? 0 : offers->list.size();
}
const rm_offer* rm_offers_at(const rm_offers* offers, size_t index) {
  return index < rm_offers_count(offers) ? &offers->list[index] : nullptr;
}
void rm_offers_free(rm_offers* offers) { delete offers; }

uint64_t rm_offer_id(const rm_offer* offer) { return offer == nullptr ? 0 : offer->offer.id.value; }
uint64_t rm_offer_framework(const rm_offer* offer) {
  return offer == nullptr ? 0 : offer->offer.framework.value;
}
uint64_t rm_offer_agent(const rm_offer* offer) {
  return offer == nullptr ? 0 : offer->offer.agent.value;
}
uint64_t rm_offer_earmark(const rm_offer* offer) {
  return offer == nullptr || !offer->offer.earmark ? 0 : offer->offer.earmark->value;
}
const char* rm_offer_role(const rm_offer* offer) {
  return offer == nullptr ? "" : offer->offer.role.c_str();
}
const char* rm_offer_resources(const rm_offer* offer) {
  return offer == nullptr ? "" : offer->resources.c_str();
}
int64_t rm_offer_expires_ns(const rm_offer* offer) {
  return offer == nullptr ? 0 : offer->offer.expires.ns;
}
int64_t rm_offer_lent_until_ns(const rm_offer* offer) {
  return offer == nullptr || !offer->offer.lent_until ? RM_NO_TIME : offer->offer.lent_until->ns;
}
int64_t rm_offer_available_until_ns(const rm_offer* offer) {
  return offer == nullptr || !offer->offer.available_until ? RM_NO_TIME
                                                           : offer->offer.available_until->ns;
}

// --- demands ---

rm_code rm_demand_new(uint64_t id, const char* role, const char* shape, rm_demand** out,
                      rm_error** error) {
  return c::call(error, [&] {
    rm_demand*& made = c::need(out, "out");
    auto demand = std::make_unique<rm_demand>();
    demand->demand.id = c::id<DemandId>(id, "demand");
    demand->demand.role = c::text(role, "role");
    c::take(check_role(demand->demand.role));
    demand->demand.shape = c::take(parse_request(c::text(shape, "shape")));
    made = demand.release();
  });
}
void rm_demand_free(rm_demand* demand) { delete demand; }

rm_code rm_demand_set_nodes(rm_demand* demand, uint32_t min, uint32_t max, rm_error** error) {
  return c::call(error, [&] {
    Demand& changed = c::need(demand, "demand").demand;
    c::within(max, 1, 1'000'000, "nodes, max");
    c::within(min, 1, max, "nodes, min");
    changed.count_min = min;
    changed.count_max = max;
  });
}
rm_code rm_demand_set_order(rm_demand* demand, int32_t order, rm_error** error) {
  return c::call(error, [&] { c::need(demand, "demand").demand.order = order; });
}
rm_code rm_demand_set_duration(rm_demand* demand, int64_t duration_ns, rm_error** error) {
  return c::call(error, [&] {
    c::need(demand, "demand").demand.duration = c::duration(duration_ns, "duration");
  });
}
rm_code rm_demand_set_preemptible(rm_demand* demand, int preemptible, rm_error** error) {
  return c::call(error, [&] { c::need(demand, "demand").demand.preemptible = preemptible != 0; });
}
rm_code rm_demand_set_useful_until(rm_demand* demand, int64_t wall_ns, rm_error** error) {
  return c::call(error, [&] {
    c::need(demand, "demand").demand.useful_until = c::wall_time(wall_ns, "useful until");
  });
}
rm_code rm_demand_set_constraints(rm_demand* demand, const char* constraints, rm_error** error) {
  return c::call(error, [&] {
    Demand& changed = c::need(demand, "demand").demand;
    changed.constraints = c::take(parse_constraints(c::text(constraints, "constraints")));
  });
}
rm_code rm_demand_set_same(rm_demand* demand, const char* attribute, rm_error** error) {
  return c::call(error, [&] {
    Demand& changed = c::need(demand, "demand").demand;
    changed.same = c::text(attribute, "attribute");
  });
}

// --- options ---

rm_code rm_options_new(rm_options** out, rm_error** error) {
  return c::call(error, [&] { c::need(out, "out") = std::make_unique<rm_options>().release(); });
}
void rm_options_free(rm_options* options) { delete options; }

rm_code rm_options_set_offer_timeout(rm_options* options, int64_t duration_ns, rm_error** error) {
  return c::call(error, [&] {
    c::need(options, "options").options.offer_timeout =
        Duration{c::within(duration_ns, 1, RM_DURATION_MAX, "offer timeout")};
  });
}
rm_code rm_options_set_earmark_max(rm_options* options, int64_t duration_ns, rm_error** error) {
  return c::call(error, [&] {
    c::need(options, "options").options.earmark_max = c::duration(duration_ns, "earmark max");
  });
}
rm_code rm_options_set_roles(rm_options* options, const char* roles, rm_error** error) {
  return c::call(error, [&] {
    AllocatorOptions& changed = c::need(options, "options").options;
    auto wanted = c::names(roles, "roles");
    for (const std::string& role : wanted) c::take(check_role(role));
    changed.roles = std::move(wanted);
  });
}
rm_code rm_options_set_unfair(rm_options* options, const char* names, rm_error** error) {
  return c::call(error,
                 [&] { c::need(options, "options").options.unfair = c::names(names, "names"); });
}
rm_code rm_options_add_min_allocatable(rm_options* options, const char* request, rm_error** error) {
  return c::call(error, [&] {
    AllocatorOptions& changed = c::need(options, "options").options;
    changed.min_allocatable.push_back(c::take(parse_request(c::text(request, "request"))));
  });
}
