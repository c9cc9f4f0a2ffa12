// The C interface of the allocator.
#include <iterator>

#include "handle.hpp"

namespace c = librm::c;
using namespace librm;

namespace {

std::set<std::string> roles_of(const char* given) {
  auto found = c::names(given, "roles");
  return {std::make_move_iterator(found.begin()), std::make_move_iterator(found.end())};
}

/// Unlike a request's, an amount of zero counts: a limit of zero is one.
Amounts amounts(const char* given, const char* name) {
  Amounts found;
  for (const std::string& entry : c::names(given, name)) {
    const std::size_t colon = entry.find(':');
    const auto amount = colon == std::string::npos
                            ? std::nullopt
                            : parse_amount(std::string_view(entry).substr(colon + 1));
    const std::string scalar = entry.substr(0, colon);
    if (!amount || !parse_request(scalar + ":1") || found.contains(scalar)) {
      c::raise(
          RM_INVALID_ARGUMENT,
          std::string(name) + ": expected `name:amount` once a name, got " + entry.substr(0, 80));
    }
    found.emplace(scalar, *amount);
  }
  return found;
}

Allocator& inner(rm_allocator* allocator) { return *c::need(allocator, "allocator").allocator; }
const Allocator& inner(const rm_allocator* allocator) {
  return *c::need(allocator, "allocator").allocator;
}

void put_ids(rm_ids** out, const std::vector<OfferId>& offers) {
  if (out != nullptr) *out = c::new_ids(offers);
}

std::string lines(const std::vector<std::string>& list) {
  std::string text;
  for (const std::string& line : list) {
    if (!text.empty()) text += '\n';
    text += line;
  }
  return text;
}

// --- what is held ---

void book(rm_allocator& allocator, c::Holding key, const Resources& resources) {
  if (resources.empty()) return;
  const auto known = allocator.held.find(key);
  if (!key.until && known != allocator.held.end()) {
    known->second += resources;
  } else {
    allocator.held.emplace(std::move(key), resources);
  }
}

/// The allocator looks for a piece with that end in the order in which they were booked; so here.
void unbook(rm_allocator& allocator, const c::Holding& key, const Resources& resources) {
  const auto [first, last] = allocator.held.equal_range(key);
  const auto holder = to_string(key.framework) + " on " + to_string(key.agent) + " in role " +
                      key.role + (key.until ? " until then" : "");
  if (first == last) c::raise(RM_FAILED_PRECONDITION, "held by " + holder + ": nothing");
  auto piece = first;
  while (piece != last && !piece->second.contains(resources)) ++piece;
  if (piece == last) {
    const auto lack = shortage(resources, first->second);
    c::raise(RM_FAILED_PRECONDITION,
             "held by " + holder + ": " + to_string(first->second) +
                 (lack ? ", not " + to_string(lack->need) + " of " + lack->name : std::string()));
  }
  piece->second -= resources;
  if (piece->second.empty()) allocator.held.erase(piece);
}

Allocator::Part part_of(const uint64_t* offers, size_t count, const char* used, int64_t until_ns) {
  Allocator::Part part;
  part.offers = c::offer_ids(offers, count);
  Resources resources = c::take(Resources::parse(c::text(used, "used")));
  const auto until = c::maybe_instant(until_ns, "until");
  if (!resources.empty()) part.uses.push_back({std::move(resources), until});
  return part;
}

void accept(rm_allocator& allocator, const std::vector<Allocator::Part>& parts, int64_t now_ns,
            int64_t refuse_ns) {
  const Instant now = c::instant(now_ns, "now");
  const Duration refuse_for = c::duration(refuse_ns, "refuse");
  const auto accepted = c::take(allocator.allocator->accept_together(parts, now, refuse_for));
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const Acceptance& done = accepted[i];
    for (const Use& use : parts[i].uses) {
      book(allocator, {done.framework, done.agent, done.role, use.until}, use.resources);
    }
  }
}

}  // namespace

// --- its life ---

rm_code rm_allocator_new(const rm_options* options_or_null, rm_allocator** out, rm_error** error) {
  return c::call(error, [&] {
    rm_allocator*& made = c::need(out, "out");
    auto allocator = std::make_unique<rm_allocator>();
    allocator->allocator = std::make_unique<Allocator>(
        options_or_null == nullptr ? AllocatorOptions{} : options_or_null->options);
    made = allocator.release();
  });
}
rm_code rm_allocator_clone(const rm_allocator* allocator, rm_allocator** out, rm_error** error) {
  return c::call(error, [&] {
    rm_allocator*& made = c::need(out, "out");
    auto copy = std::make_unique<rm_allocator>();
    copy->allocator = inner(allocator).clone();
    copy->held = allocator->held;
    made = copy.release();
  });
}
void rm_allocator_free(rm_allocator* allocator) { delete allocator; }

// --- frameworks and roles ---

rm_code rm_allocator_add_framework(rm_allocator* allocator, uint64_t framework, const char* roles,
                                   uint32_t flags, rm_error** error) {
  return c::call(error, [&] {
    if ((flags & ~uint32_t{RM_WANTS_REVOCABLE}) != 0) {
      c::raise(RM_UNSUPPORTED, "flags: " + std::to_string(flags) + " has bits that are not known");
    }
    FrameworkWishes wishes;
    wishes.roles = roles_of(roles);
    wishes.revocable = (flags & RM_WANTS_REVOCABLE) != 0;
    c::take(inner(allocator).add_framework(c::id<FrameworkId>(framework, "framework"), wishes));
  });
}
rm_code rm_allocator_remove_framework(rm_allocator* allocator, uint64_t framework, rm_ids** ended,
                                      rm_error** error) {
  return c::call(error, [&] {
    const auto id = c::id<FrameworkId>(framework, "framework");
    put_ids(ended, inner(allocator).remove_framework(id));
  });
}
rm_code rm_allocator_suppress(rm_allocator* allocator, uint64_t framework, const char* roles,
                              rm_error** error) {
  return c::call(error, [&] {
    inner(allocator).suppress(c::id<FrameworkId>(framework, "framework"), roles_of(roles));
  });
}
rm_code rm_allocator_revive(rm_allocator* allocator, uint64_t framework, const char* roles,
                            rm_error** error) {
  return c::call(error, [&] {
    inner(allocator).revive(c::id<FrameworkId>(framework, "framework"), roles_of(roles));
  });
}
rm_code rm_allocator_set_demands(rm_allocator* allocator, uint64_t framework,
                                 const rm_demand* const* demands, size_t count, rm_error** error) {
  return c::call(error, [&] {
    c::take(inner(allocator).set_demands(c::id<FrameworkId>(framework, "framework"),
                                         c::demands_of(demands, count)));
  });
}
rm_code rm_allocator_set_weight(rm_allocator* allocator, const char* role, int64_t weight_milli,
                                rm_error** error) {
  return c::call(
      error, [&] { c::take(inner(allocator).set_weight(c::text(role, "role"), weight_milli)); });
}
rm_code rm_allocator_set_quota(rm_allocator* allocator, const char* role, const char* guarantees,
                               const char* limits, int force, rm_ids** ended, rm_error** error) {
  return c::call(error, [&] {
    const Quota quota{amounts(guarantees, "guarantees"), amounts(limits, "limits")};
    put_ids(ended, c::take(inner(allocator).set_quota(c::text(role, "role"), quota, force != 0)));
  });
}
rm_code rm_allocator_remove_quota(rm_allocator* allocator, const char* role, rm_error** error) {
  return c::call(error, [&] { inner(allocator).remove_quota(c::text(role, "role")); });
}

// --- agents ---

rm_code rm_allocator_add_agent(rm_allocator* allocator, uint64_t agent, const char* hostname,
                               const char* resources, const char* attributes, rm_error** error) {
  return c::call(error, [&] {
    Resources total = c::take(Resources::parse(c::text(resources, "resources")));
    Attributes facts = c::take(parse_attributes(c::text(attributes, "attributes")));
    c::take(inner(allocator).add_agent(c::id<AgentId>(agent, "agent"),
                                       std::string(c::text(hostname, "hostname")), std::move(total),
                                       std::move(facts), {}));
  });
}

namespace {

/// What the allocator ignores, a caller in C is told.
AgentId known_agent(const rm_allocator* allocator, uint64_t agent) {
  const auto id = c::id<AgentId>(agent, "agent");
  if (!inner(allocator).agent(id)) {
    c::raise(RM_NOT_FOUND, "agent " + to_string(id) + " is not known");
  }
  return id;
}

}  // namespace

rm_code rm_allocator_remove_agent(rm_allocator* allocator, uint64_t agent, rm_ids** ended,
                                  rm_error** error) {
  return c::call(error, [&] {
    const AgentId id = known_agent(allocator, agent);
    const auto offers = inner(allocator).remove_agent(id);
    std::erase_if(allocator->held, [&](const auto& entry) { return entry.first.agent == id; });
    put_ids(ended, offers);
  });
}
rm_code rm_allocator_deactivate_agent(rm_allocator* allocator, uint64_t agent, rm_ids** ended,
                                      rm_error** error) {
  return c::call(error, [&] {
    put_ids(ended, inner(allocator).deactivate_agent(known_agent(allocator, agent)));
  });
}
rm_code rm_allocator_activate_agent(rm_allocator* allocator, uint64_t agent, rm_error** error) {
  return c::call(error, [&] { inner(allocator).activate_agent(known_agent(allocator, agent)); });
}
rm_code rm_allocator_set_available_until(rm_allocator* allocator, uint64_t agent, int64_t wall_ns,
                                         rm_error** error) {
  return c::call(error, [&] {
    std::optional<WallTime> until;
    if (wall_ns != RM_NO_TIME) until = c::wall_time(wall_ns, "available until");
    inner(allocator).set_available_until(known_agent(allocator, agent), until);
  });
}

// --- offers ---

rm_code rm_allocator_run(rm_allocator* allocator, int64_t now_ns, int64_t wall_ns, rm_offers** out,
                         rm_error** error) {
  return c::call(error, [&] {
    rm_offers*& offers = c::need(out, "out");
    const Instant now = c::instant(now_ns, "now");
    if (wall_ns == RM_NO_TIME) {
      offers = c::new_offers(inner(allocator).run(now));
    } else {
      offers = c::new_offers(inner(allocator).run(Now{now, c::wall_time(wall_ns, "wall")}));
    }
  });
}
rm_code rm_allocator_take_rescinded(rm_allocator* allocator, rm_ids** out, rm_error** error) {
  return c::call(error, [&] {
    rm_ids*& ids = c::need(out, "out");
    ids = c::new_ids(inner(allocator).take_rescinded());
  });
}
rm_code rm_allocator_expire(rm_allocator* allocator, int64_t now_ns, rm_offers** out,
                            rm_error** error) {
  return c::call(error, [&] {
    rm_offers*& offers = c::need(out, "out");
    offers = c::new_offers(inner(allocator).expire(c::instant(now_ns, "now")));
  });
}
int64_t rm_allocator_next_deadline(const rm_allocator* allocator) {
  if (allocator == nullptr) return RM_NO_TIME;
  const auto deadline = allocator->allocator->next_deadline();
  return deadline ? deadline->ns : RM_NO_TIME;
}

rm_code rm_allocator_accept(rm_allocator* allocator, const uint64_t* offers, size_t count,
                            const char* used, int64_t until_ns, int64_t now_ns, int64_t refuse_ns,
                            rm_error** error) {
  return c::call(error, [&] {
    accept(c::need(allocator, "allocator"), {part_of(offers, count, used, until_ns)}, now_ns,
           refuse_ns);
  });
}
rm_code rm_parts_new(rm_parts** out, rm_error** error) {
  return c::call(error, [&] { c::need(out, "out") = std::make_unique<rm_parts>().release(); });
}
void rm_parts_free(rm_parts* parts) { delete parts; }
rm_code rm_parts_add(rm_parts* parts, const uint64_t* offers, size_t count, const char* used,
                     int64_t until_ns, rm_error** error) {
  return c::call(error, [&] {
    c::need(parts, "parts").list.push_back(part_of(offers, count, used, until_ns));
  });
}
rm_code rm_allocator_accept_together(rm_allocator* allocator, const rm_parts* parts, int64_t now_ns,
                                     int64_t refuse_ns, rm_error** error) {
  return c::call(error, [&] {
    accept(c::need(allocator, "allocator"), c::need(parts, "parts").list, now_ns, refuse_ns);
  });
}
rm_code rm_allocator_decline(rm_allocator* allocator, uint64_t offer, int64_t now_ns,
                             int64_t refuse_ns, const char* reason_or_null, rm_error** error) {
  return c::call(error, [&] {
    const std::string reason(reason_or_null == nullptr ? std::string_view()
                                                       : c::text(reason_or_null, "reason"));
    c::take(inner(allocator).decline(c::id<OfferId>(offer, "offer"), c::instant(now_ns, "now"),
                                     c::duration(refuse_ns, "refuse"), reason));
  });
}
rm_code rm_allocator_rescind(rm_allocator* allocator, uint64_t offer, rm_error** error) {
  return c::call(error, [&] {
    const auto id = c::id<OfferId>(offer, "offer");
    if (!inner(allocator).rescind(id)) {
      c::raise(RM_STALE, "offer " + to_string(id) + " is not outstanding");
    }
  });
}

// --- holdings ---

rm_code rm_allocator_hold(rm_allocator* allocator, uint64_t framework, uint64_t agent,
                          const char* role, const char* resources, int64_t until_ns,
                          rm_error** error) {
  return c::call(error, [&] {
    Allocator& used = inner(allocator);
    const c::Holding key{c::id<FrameworkId>(framework, "framework"), c::id<AgentId>(agent, "agent"),
                         std::string(c::text(role, "role")), c::maybe_instant(until_ns, "until")};
    const Resources held = c::take(Resources::parse(c::text(resources, "resources")));
    c::take(used.hold(key.framework, key.agent, key.role, held, key.until));
    book(*allocator, key, held);
  });
}
rm_code rm_allocator_release(rm_allocator* allocator, uint64_t framework, uint64_t agent,
                             const char* role, const char* resources, int64_t until_ns,
                             rm_error** error) {
  return c::call(error, [&] {
    Allocator& used = inner(allocator);
    const c::Holding key{c::id<FrameworkId>(framework, "framework"), c::id<AgentId>(agent, "agent"),
                         std::string(c::text(role, "role")), c::maybe_instant(until_ns, "until")};
    const Resources freed = c::take(Resources::parse(c::text(resources, "resources")));
    if (freed.empty()) return;
    unbook(*allocator, key, freed);
    used.release(key.framework, key.agent, key.role, freed, key.until);
  });
}

// --- views ---

rm_code rm_allocator_explain(const rm_allocator* allocator, uint64_t framework, const char* role,
                             const char* request, int64_t now_ns, char** text, rm_error** error) {
  return c::call(error, [&] {
    char*& out = c::need(text, "text");
    const Request wanted = c::take(parse_request(c::text(request, "request")));
    out = c::new_text(summary(inner(allocator).explain(c::id<FrameworkId>(framework, "framework"),
                                                       c::text(role, "role"), wanted,
                                                       c::instant(now_ns, "now"))));
  });
}
rm_code rm_allocator_explain_demand(const rm_allocator* allocator, uint64_t framework,
                                    uint64_t demand, int64_t now_ns, char** text,
                                    rm_error** error) {
  return c::call(error, [&] {
    char*& out = c::need(text, "text");
    out = c::new_text(summary(c::take(inner(allocator).explain_demand(
        c::id<FrameworkId>(framework, "framework"), c::id<DemandId>(demand, "demand"),
        c::instant(now_ns, "now")))));
  });
}
rm_code rm_allocator_explain_role(const rm_allocator* allocator, const char* role, char** text,
                                  rm_error** error) {
  return c::call(error, [&] {
    char*& out = c::need(text, "text");
    out = c::new_text(lines(inner(allocator).explain_role(c::text(role, "role"))));
  });
}
rm_code rm_allocator_agent_resources(const rm_allocator* allocator, uint64_t agent, int which,
                                     char** text, rm_error** error) {
  return c::call(error, [&] {
    char*& out = c::need(text, "text");
    const Allocator::AgentView view = *inner(allocator).agent(known_agent(allocator, agent));
    const Resources* const parts[] = {view.total, &view.held, &view.offered, &view.free};
    out = c::new_text(to_string(*parts[c::within(which, RM_TOTAL, RM_FREE, "which")]));
  });
}
rm_code rm_allocator_check(const rm_allocator* allocator, char** text, rm_error** error) {
  return c::call(error, [&] {
    char*& out = c::need(text, "text");
    out = c::new_text(lines(inner(allocator).check_invariants()));
  });
}
