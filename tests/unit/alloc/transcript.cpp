// The commands of allocator transcripts.
#include "transcript.hpp"

#include <algorithm>
#include <sstream>
#include <stdexcept>

namespace librm::test {

namespace {

/// What a test's own text says wrongly ends the test.
template <class T>
T expect(Result<T> result, const std::string& what) {
  if (!result) throw std::runtime_error(what + ": " + result.error().message);
  return std::move(*result);
}

template <class Id>
Id id_of(const std::string& word) {
  const auto id = parse_id<Id>(word);
  if (!id) throw std::runtime_error(word + ": not an id");
  return *id;
}

Resources resources_of(const std::string& word) { return expect(Resources::parse(word), word); }

Duration seconds_of(const std::string& word) {
  return Duration{expect(parse_amount(word) ? Result<Amount>(*parse_amount(word))
                                            : Result<Amount>(fail(ErrorCode::invalid_argument,
                                                                  "not a number of seconds")),
                         word)
                      .milli *
                  1'000'000};
}

std::set<std::string> names_of(const std::string& word) {
  std::set<std::string> names;
  std::istringstream stream(word);
  for (std::string name; std::getline(stream, name, ',');) names.insert(name);
  return names;
}

/// `name=value`; empty where no word has that name.
std::string option(const std::vector<std::string>& words, const std::string& name) {
  for (const std::string& word : words) {
    if (word.rfind(name + '=', 0) == 0) return word.substr(name.size() + 1);
  }
  return {};
}

bool flag(const std::vector<std::string>& words, const std::string& name) {
  return std::find(words.begin(), words.end(), name) != words.end();
}

/// Words are parted by spaces, except within quotes, which are dropped.
std::vector<std::string> split(const std::string& line) {
  std::vector<std::string> words;
  std::string word;
  bool quoted = false;
  bool any = false;
  for (const char c : line) {
    if (c == '"') {
      quoted = !quoted;
      any = true;
    } else if (c == ' ' && !quoted) {
      if (any) words.push_back(std::move(word));
      word.clear();
      any = false;
    } else {
      word += c;
      any = true;
    }
  }
  if (any) words.push_back(std::move(word));
  return words;
}

std::string shown_seconds(Duration span) { return to_string(Amount{span.ns / 1'000'000}) + " s"; }

}  // namespace

Transcript::Transcript() : allocator_(std::make_unique<Allocator>(options_)) {}

const std::map<std::string, Transcript::Command, std::less<>>& Transcript::commands() {
  static const std::map<std::string, Command, std::less<>> all = {
      {"options", &Transcript::options},          // roles=a,b unfair=gpus min=cpus:1 earmark_max=60
      {"agent", &Transcript::agent},              // a-1 RESOURCES [ATTRIBUTES] [held=F,ROLE,RES,S]
      {"framework", &Transcript::framework},      // f-1 ROLES [revocable] [min=REQUEST]
      {"update", &Transcript::update},            // f-1 ROLES ...
      {"weight", &Transcript::weight},            // ROLE 2
      {"quota", &Transcript::quota},              // ROLE [guarantee=RES] [limit=RES] [force] | none
      {"run", &Transcript::run},                  //
      {"accept", &Transcript::accept},            // o-1 [RESOURCES[@SECONDS]]... [refuse=SECONDS]
      {"together", &Transcript::together},        // o-1 RESOURCES[@S] + o-2 ...
      {"decline", &Transcript::decline},          // o-1 SECONDS [REASON]
      {"rescind", &Transcript::rescind},          // o-1
      {"after", &Transcript::after},              // SECONDS
      {"suppress", &Transcript::suppress},        // f-1 [ROLES]
      {"revive", &Transcript::revive},            // f-1 [ROLES]
      {"hold", &Transcript::hold},                // f-1 a-1 ROLE RESOURCES[@SECONDS]
      {"release", &Transcript::release},          // f-1 a-1 ROLE RESOURCES [until=SECONDS]
      {"remove", &Transcript::remove},            // a-1 | f-1
      {"deactivate", &Transcript::deactivate},    // a-1 | f-1
      {"activate", &Transcript::activate},        // a-1 | f-1
      {"window", &Transcript::window},            // a-1 SECONDS
      {"operate", &Transcript::operate},          // a-1 reserve|unreserve RESOURCES ROLE, ...
      {"demand", &Transcript::demand},            // f-1 d-1 ROLE SHAPE [nodes=2-4] [same=rack] ...
      {"explain", &Transcript::explain},          // f-1 ROLE REQUEST
      {"why", &Transcript::why},                  // f-1 d-1
      {"role", &Transcript::role},                // ROLE
      {"roles", &Transcript::roles},              //
      {"agents", &Transcript::agents},            //
      {"earmarks", &Transcript::earmarks},        //
      {"preemptions", &Transcript::preemptions},  //
      {"clone", &Transcript::clone},              // and goes on with it
  };
  return all;
}

std::vector<std::string> Transcript::run_line(const std::string& line) {
  shown_.clear();
  Words words = split(line);
  const auto found = commands().find(words.front());
  if (found == commands().end()) throw std::runtime_error(line + ": no such command");
  words.erase(words.begin());
  (this->*found->second)(words);
  for (const std::string& violation : allocator_->check_invariants())
    show("VIOLATED: " + violation);
  return shown_;
}

std::string Transcript::play(std::string_view text) {
  Transcript transcript;
  std::string played;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("  ", 0) == 0) continue;  // what was shown earlier
    played += line + '\n';
    if (line.empty() || line[0] == '#') continue;
    for (const std::string& shown : transcript.run_line(line)) played += "  " + shown + '\n';
  }
  return played;
}

std::string Transcript::time(Instant at) const { return shown_seconds(at - Instant{0}); }

std::string Transcript::text_of(const Offer& offer) const {
  std::string text = to_string(offer.id) + ": " + to_string(offer.agent) + " to " +
                     to_string(offer.framework) + " in " + offer.role + ": " +
                     to_string(offer.resources);
  if (offer.earmark) text += " for " + to_string(*offer.earmark);
  if (offer.lent_until) text += " lent until " + time(*offer.lent_until);
  if (offer.available_until)
    text += " until the window at " + time(Instant{offer.available_until->ns});
  return text;
}

void Transcript::show_ended(const std::vector<OfferId>& offers) {
  for (const OfferId id : offers) show("ends " + to_string(id));
  for (const OfferId id : allocator_->take_rescinded()) show("takes back " + to_string(id));
}

std::vector<Use> Transcript::uses(const Words& words, std::size_t from, std::size_t to) {
  std::vector<Use> all;
  for (std::size_t i = from; i < to; ++i) {
    if (words[i].find('=') != std::string::npos) continue;
    const std::size_t at = words[i].rfind('@');
    Use use{resources_of(words[i].substr(0, at)), std::nullopt};
    if (at != std::string::npos) use.until = now_ + seconds_of(words[i].substr(at + 1));
    all.push_back(std::move(use));
  }
  return all;
}

void Transcript::options(const Words& words) {
  const auto set = [](const std::set<std::string>& names) {
    return std::set<std::string, std::less<>>(names.begin(), names.end());
  };
  options_.roles = set(names_of(option(words, "roles")));
  options_.unfair = set(names_of(option(words, "unfair")));
  for (const std::string& least : names_of(option(words, "min"))) {
    options_.min_allocatable.push_back(expect(parse_request(least), least));
  }
  const std::string wait = option(words, "earmark_max");
  if (!wait.empty()) options_.earmark_max = seconds_of(wait);
  allocator_ = std::make_unique<Allocator>(options_);
}

void Transcript::agent(const Words& words) {
  Attributes attributes;
  if (words.size() > 2 && words[2].find('=') == std::string::npos) {
    attributes = expect(parse_attributes(words[2]), words[2]);
  }
  std::vector<Allocator::Held> held;
  for (const std::string& word : words) {
    if (word.rfind("held=", 0) != 0) continue;
    std::istringstream stream(word.substr(5));
    Words parts;
    for (std::string part; std::getline(stream, part, ',');) parts.push_back(part);
    Allocator::Held one{
        id_of<FrameworkId>(parts.at(0)), parts.at(1), resources_of(parts.at(2)), {}};
    if (parts.size() > 3) one.until = now_ + seconds_of(parts[3]);
    held.push_back(std::move(one));
  }
  const auto id = id_of<AgentId>(words.at(0));
  const auto added = allocator_->add_agent(id, "host-" + std::to_string(id.value),
                                           resources_of(words.at(1)), attributes, held);
  if (!added) show("error: " + added.error().message);
}

namespace {
FrameworkWishes wishes_of(const std::vector<std::string>& words) {
  FrameworkWishes wishes;
  wishes.roles = names_of(words.at(1));
  wishes.revocable = flag(words, "revocable");
  const std::string least = option(words, "min");
  if (!least.empty()) wishes.min_allocatable.push_back(expect(parse_request(least), least));
  return wishes;
}
}  // namespace

void Transcript::framework(const Words& words) {
  const auto added = allocator_->add_framework(id_of<FrameworkId>(words.at(0)), wishes_of(words));
  if (!added) show("error: " + added.error().message);
}

void Transcript::update(const Words& words) {
  const auto ended =
      allocator_->update_framework(id_of<FrameworkId>(words.at(0)), wishes_of(words));
  if (!ended) return show("error: " + ended.error().message);
  show_ended(*ended);
}

void Transcript::weight(const Words& words) {
  const auto set = allocator_->set_weight(words.at(0), parse_amount(words.at(1))->milli);
  if (!set) show("error: " + set.error().message);
}

void Transcript::quota(const Words& words) {
  if (flag(words, "none")) return allocator_->remove_quota(words.at(0));
  Quota quota;
  const auto read = [&](const std::string& name, Amounts& amounts) {
    std::istringstream stream(option(words, name));
    for (std::string part; std::getline(stream, part, ';');) {
      const std::size_t colon = part.find(':');
      amounts[part.substr(0, colon)] = parse_amount(part.substr(colon + 1)).value();
    }
  };
  read("guarantee", quota.guarantees);
  read("limit", quota.limits);
  const auto set = allocator_->set_quota(words.at(0), quota, flag(words, "force"));
  if (!set) return show("error: " + set.error().message);
  for (const OfferId id : *set) show("takes back " + to_string(id));
}

void Transcript::run(const Words&) {
  const auto made = allocator_->run(Now{now_, WallTime{now_.ns}});
  for (const OfferId id : allocator_->take_rescinded()) show("takes back " + to_string(id));
  for (const Offer& offer : made) show(text_of(offer));
  if (shown_.empty()) show("nothing");
}

void Transcript::accept(const Words& words) {
  const std::string refuse = option(words, "refuse");
  std::vector<OfferId> ids;
  for (const std::string& id : names_of(words.at(0))) ids.push_back(id_of<OfferId>(id));
  const Allocator::Part part{ids, uses(words, 1, words.size()), {}};
  const auto accepted =
      allocator_->accept(part, now_, refuse.empty() ? Duration{} : seconds_of(refuse));
  if (!accepted) show("error: " + accepted.error().message);
}

void Transcript::together(const Words& words) {
  std::vector<Allocator::Part> parts;
  for (std::size_t i = 0; i < words.size();) {
    std::size_t end = i;
    while (end < words.size() && words[end] != "+") ++end;
    parts.push_back({{id_of<OfferId>(words[i])}, uses(words, i + 1, end), {}});
    i = end + 1;
  }
  const auto accepted = allocator_->accept_together(parts, now_, {});
  if (!accepted) show("error: " + accepted.error().message);
}

void Transcript::decline(const Words& words) {
  const auto declined = allocator_->decline(
      id_of<OfferId>(words.at(0)), now_, seconds_of(words.at(1)), words.size() > 2 ? words[2] : "");
  if (!declined) return show("error: " + declined.error().message);
  show_ended({});
}

void Transcript::rescind(const Words& words) {
  (void)allocator_->rescind(id_of<OfferId>(words.at(0)));
  show_ended({});
}

void Transcript::after(const Words& words) {
  now_ = now_ + seconds_of(words.at(0));
  for (const Offer& offer : allocator_->expire(now_)) show("expires " + to_string(offer.id));
  show_ended({});
}

void Transcript::suppress(const Words& words) {
  allocator_->suppress(id_of<FrameworkId>(words.at(0)),
                       words.size() > 1 ? names_of(words[1]) : std::set<std::string>{});
}

void Transcript::revive(const Words& words) {
  allocator_->revive(id_of<FrameworkId>(words.at(0)),
                     words.size() > 1 ? names_of(words[1]) : std::set<std::string>{});
}

void Transcript::hold(const Words& words) {
  const Use use = uses(words, 3, 4).at(0);
  const auto held = allocator_->hold(id_of<FrameworkId>(words.at(0)), id_of<AgentId>(words.at(1)),
                                     words.at(2), use.resources, use.until);
  if (!held) show("error: " + held.error().message);
}

void Transcript::release(const Words& words) {
  std::optional<Instant> until;
  const std::string end = option(words, "until");
  if (!end.empty()) until = Instant{0} + seconds_of(end);
  allocator_->release(id_of<FrameworkId>(words.at(0)), id_of<AgentId>(words.at(1)), words.at(2),
                      resources_of(words.at(3)), until);
}

void Transcript::remove(const Words& words) {
  if (words.at(0)[0] == 'a') {
    return show_ended(allocator_->remove_agent(id_of<AgentId>(words[0])));
  }
  show_ended(allocator_->remove_framework(id_of<FrameworkId>(words[0])));
}

void Transcript::deactivate(const Words& words) {
  if (words.at(0)[0] == 'a') {
    return show_ended(allocator_->deactivate_agent(id_of<AgentId>(words[0])));
  }
  show_ended(allocator_->deactivate_framework(id_of<FrameworkId>(words[0])));
}

void Transcript::activate(const Words& words) {
  if (words.at(0)[0] == 'a') return allocator_->activate_agent(id_of<AgentId>(words[0]));
  allocator_->activate_framework(id_of<FrameworkId>(words[0]));
}

void Transcript::window(const Words& words) {
  const Instant start = now_ + seconds_of(words.at(1));
  allocator_->set_available_until(id_of<AgentId>(words.at(0)), WallTime{start.ns});
}

void Transcript::operate(const Words& words) {
  static const std::map<std::string, OperationKind> kinds = {
      {"reserve", OperationKind::reserve},
      {"unreserve", OperationKind::unreserve},
      {"create", OperationKind::create_volume},
      {"destroy", OperationKind::destroy_volume}};
  Operation operation;
  operation.kind = kinds.at(words.at(1));
  operation.resources = resources_of(words.at(2));
  if (operation.kind == OperationKind::reserve || operation.kind == OperationKind::unreserve) {
    operation.reservation.role = words.at(3);
  } else {
    operation.volume = {words.at(3), flag(words, "shared"), ""};
  }
  const auto ended = allocator_->operate(id_of<AgentId>(words.at(0)), operation);
  if (!ended) return show("error: " + ended.error().message);
  for (const OfferId id : *ended) show("takes back " + to_string(id));
}

void Transcript::demand(const Words& words) {
  const auto framework = id_of<FrameworkId>(words.at(0));
  std::vector<Demand>& demands = demands_[framework];
  Demand demand;
  demand.id = id_of<DemandId>(words.at(1));
  std::erase_if(demands, [&](const Demand& known) { return known.id == demand.id; });
  if (!flag(words, "none")) {
    demand.role = words.at(2);
    demand.shape = expect(parse_request(words.at(3)), words[3]);
    const std::string nodes = option(words, "nodes");
    if (!nodes.empty()) {
      const std::size_t dash = nodes.find('-');
      demand.count_min = static_cast<std::uint32_t>(std::stoul(nodes.substr(0, dash)));
      demand.count_max = dash == nodes.npos
                             ? demand.count_min
                             : static_cast<std::uint32_t>(std::stoul(nodes.substr(dash + 1)));
    }
    const std::string lasts = option(words, "lasts");
    if (!lasts.empty()) demand.duration = seconds_of(lasts);
    const std::string order = option(words, "order");
    if (!order.empty()) demand.order = std::stoi(order);
    demand.same = option(words, "same");
    const std::string where = option(words, "where");
    if (!where.empty()) demand.constraints = expect(parse_constraints(where), where);
    demands.push_back(std::move(demand));
  }
  const auto set = allocator_->set_demands(framework, demands);
  if (!set) show("error: " + set.error().message);
}

void Transcript::explain(const Words& words) {
  const auto reasons = allocator_->explain(id_of<FrameworkId>(words.at(0)), words.at(1),
                                           expect(parse_request(words.at(2)), words[2]), now_);
  for (const Explanation& one : reasons) show(to_string(one.agent) + ": " + one.reason);
  show(summary(reasons));
}

void Transcript::why(const Words& words) {
  const auto reasons = allocator_->explain_demand(id_of<FrameworkId>(words.at(0)),
                                                  id_of<DemandId>(words.at(1)), now_);
  if (!reasons) return show("error: " + reasons.error().message);
  for (const Explanation& one : *reasons) show(to_string(one.agent) + ": " + one.reason);
  show(summary(*reasons));
}

void Transcript::role(const Words& words) {
  for (std::string& line : allocator_->explain_role(words.at(0))) show(std::move(line));
}

void Transcript::roles(const Words&) {
  for (const auto& view : allocator_->roles()) {
    show(view.role + ": weight " + to_string(Amount{view.weight_milli}) + ", holds " +
         (view.held.empty() ? "nothing" : to_string(view.held)) + ", fair " + to_string(view.fair));
  }
}

void Transcript::agents(const Words&) {
  const auto text = [](const Resources& resources) {
    return resources.empty() ? std::string("nothing") : to_string(resources);
  };
  for (const auto& view : allocator_->agents()) {
    show(to_string(view.agent) + ": held " + text(view.held) + ", offered " + text(view.offered) +
         ", free " + text(view.free));
  }
}

void Transcript::earmarks(const Words&) {
  for (const auto& view : allocator_->earmarks()) {
    std::string text = to_string(view.earmark) + ": " + to_string(view.demand) + " of " +
                       to_string(view.framework) + " in " + view.role + " on";
    for (const AgentId agent : view.agents) text += ' ' + to_string(agent);
    text += view.starts ? ", starts by " + time(*view.starts) : ", starts at a time not known";
    show(text + ", " + std::to_string(view.ready) + " ready");
  }
  if (shown_.empty()) show("none");
}

void Transcript::preemptions(const Words&) {
  for (const auto& wanted : allocator_->preemptions(now_)) {
    show(to_string(wanted.earmark) + " wants " + to_string(wanted.resources) + " of " +
         to_string(wanted.framework) + " in " + wanted.role + " on " + to_string(wanted.agent));
  }
  if (shown_.empty()) show("none");
}

void Transcript::clone(const Words&) { allocator_ = allocator_->clone(); }

}  // namespace librm::test
