// The grammar of selectors, and the question to the master that each stands for.
#include "selector.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "batch/array_text.hpp"
#include "job_view.hpp"

namespace batch::cli {

using librm::ErrorCode;
using librm::fail;
using librm::Result;

namespace {

constexpr std::uint64_t range_max = 10'000;
constexpr std::size_t page_size = 500;
constexpr std::size_t selected_max = 1'000'000;

bool parse_id(std::string_view text, std::uint64_t& id) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

tl::unexpected<librm::Error> wrong(const std::string& selector, const std::string& why) {
  return fail(ErrorCode::invalid_argument, escape(selector) + ": " + why);
}

const std::vector<std::string>& state_names() {
  static const std::vector<std::string> names{"pending",  "held",   "running",
                                              "finished", "failed", "cancelled"};
  return names;
}

/// One term into the filter. `last_key` is that of the term before: `state=a,b` goes on.
Result<void> add_term(JobFilter& filter, const std::string& text, const std::string& term,
                      std::string& last_key) {
  const std::size_t equals = term.find('=');
  std::string key = term.substr(0, equals);
  std::string value = equals == term.npos ? term : term.substr(equals + 1);
  if (equals == term.npos) key = last_key == "state" ? "state" : "name";
  last_key = key;
  if (term == "all") return {};
  if (value.empty()) return wrong(text, "'" + escape(key) + "=' lacks a value");
  if (key == "state") {
    filter.states.push_back(value);
    return check_states(escape(text).c_str(), {value});
  }
  if (key == "name" || key == "owner") {
    std::string& pattern = key == "name" ? filter.name : filter.owner;
    if (!pattern.empty()) return wrong(text, key + " is there twice; all terms must be so");
    pattern = value;
    return {};
  }
  if (key.starts_with("label.") && key.size() > 6) {
    filter.labels[key.substr(6)] = value;
    return {};
  }
  const auto meant = nearest(key, {"name", "state", "owner", "label"});
  return wrong(text,
               "'" + escape(key) + "' is nothing to select by" +
                   (meant ? "; did you mean '" + *meant + (*meant == "label" ? ".KEY" : "") + "'?"
                          : "; there are name, state, owner and label.KEY"));
}

Result<Selector> parse_filter(Selector selector) {
  selector.filter.emplace();
  std::string last_key;
  for (const std::string& term : split(selector.text, ',')) {
    if (auto added = add_term(*selector.filter, selector.text, term, last_key); !added) {
      return tl::unexpected(added.error());
    }
  }
  return selector;
}

/// `40-45` as six ids; empty where it is no range.
Result<std::vector<std::string>> parse_range(const std::string& text) {
  const std::size_t dash = text.find('-');
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::vector<std::string> ids;
  if (dash == text.npos || !parse_id(std::string_view(text).substr(0, dash), first) ||
      !parse_id(std::string_view(text).substr(dash + 1), last)) {
    return ids;
  }
  if (last < first || last - first >= range_max) {
    return wrong(text, "a range goes from the lower id to the higher, at most " +
                           std::to_string(range_max) + " jobs");
  }
  for (std::uint64_t id = first; id <= last; ++id) ids.push_back(std::to_string(id));
  return ids;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ",") + word;
  return text;
}

/// `pending, held or running`.
std::string any_of(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) {
    text += (text.empty() ? "" : &word == &words.back() ? " or " : ", ") + word;
  }
  return text;
}

librm::Error nothing(const Selector& selector, const JobFilter& filter) {
  const bool said = selector.filter && !selector.filter->states.empty();
  return {ErrorCode::not_found,
          escape(selector.text) + ": no such job" +
              (said || filter.states.empty() ? "" : " is " + any_of(filter.states))};
}

/// The jobs of a pattern, oldest first.
Result<std::vector<Json>> filtered(Master& master, const Selector& selector, const Choice& choice) {
  JobFilter filter = *selector.filter;
  if (filter.states.empty()) filter.states = choice.states;
  if (selector.all && filter.states.empty()) filter.states = live_states();
  bool more = false;
  auto found = list_jobs(master, filter, selected_max, more, choice.attempts ? "&attempts=1" : "");
  if (!found) return tl::unexpected(found.error());
  if (found->empty()) return tl::unexpected(nothing(selector, filter));
  return std::vector<Json>(std::make_move_iterator(found->rbegin()),
                           std::make_move_iterator(found->rend()));
}

}  // namespace

Result<std::vector<std::string>> single_elements(const std::string& job) {
  const auto selector = split_elements(job);
  if (!selector) return wrong(job, selector.error().message);
  if (selector->elements.count() <= 1) return std::vector<std::string>{job};
  if (selector->elements.count() > range_max) {
    return wrong(job, std::to_string(selector->elements.count()) + " elements, at most " +
                          std::to_string(range_max) + " are looked at one by one");
  }
  std::vector<std::string> singles;
  for (const librm::Range& range : selector->elements.list()) {
    for (std::uint64_t index = range.begin; index <= range.end; ++index) {
      singles.push_back(to_string(ElementSelector{selector->job, librm::Ranges({{index, index}})}));
    }
  }
  return singles;
}

Result<Selector> parse_selector(const std::string& text) {
  Selector selector{text, {}, {}, false};
  if (text.empty()) return fail(ErrorCode::invalid_argument, "a selector is empty");
  if (text == "all") {
    selector.all = true;
    selector.filter.emplace();
    return selector;
  }
  if (text.find_first_of("=*?") != text.npos) return parse_filter(std::move(selector));
  if (text.find('[') != text.npos) {
    const auto elements = split_elements(text);
    if (!elements) return wrong(text, elements.error().message);
  } else if (text.find(',') != text.npos) {
    return wrong(text, "jobs are set apart by spaces; commas join terms such as state=failed");
  }
  auto range = parse_range(text);
  if (!range) return tl::unexpected(range.error());
  selector.jobs = range->empty() ? std::vector<std::string>{text} : std::move(*range);
  return selector;
}

Result<void> check_states(const char* option, const std::vector<std::string>& states) {
  for (const std::string& state : states) {
    const auto& known = state_names();
    if (std::find(known.begin(), known.end(), state) != known.end()) continue;
    const auto meant = nearest(state, known);
    return fail(ErrorCode::invalid_argument,
                std::string(option) + ": '" + escape(state) + "' is no state" +
                    (meant ? "; did you mean '" + *meant + "'?"
                           : ": pending, held, running, finished, failed or cancelled"));
  }
  return {};
}

const std::vector<std::string>& live_states() {
  static const std::vector<std::string> states{"pending", "held", "running"};
  return states;
}

const std::vector<std::string>& ended_states() {
  static const std::vector<std::string> states{"finished", "failed", "cancelled"};
  return states;
}

bool matches(const JobFilter& filter, const Json& job) {
  const auto fits = [](const std::string& pattern, const std::string& text) {
    return pattern.empty() || ::fnmatch(pattern.c_str(), text.c_str(), FNM_NOESCAPE) == 0;
  };
  const auto& states = filter.states;
  if (!states.empty() &&
      std::find(states.begin(), states.end(), text_of(job, "state")) == states.end()) {
    return false;
  }
  const Json& labels = member(job, "labels");
  return fits(filter.name, text_of(job, "name")) && fits(filter.owner, text_of(job, "owner")) &&
         std::all_of(filter.labels.begin(), filter.labels.end(), [&](const auto& label) {
           return member(labels, label.first.c_str()).is_string() &&
                  fits(label.second, text_of(labels, label.first.c_str()));
         });
}

std::string query_of(const JobFilter& filter) {
  std::string query;
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) query += '&' + std::string(name) + '=' + percent_encode(value);
  };
  std::string labels;
  for (const auto& [key, pattern] : filter.labels) {
    labels += (labels.empty() ? "" : ",") + key + '=' + pattern;
  }
  add("name", filter.name);
  add("owner", filter.owner);
  add("state", joined(filter.states));
  add("label", labels);
  return query;
}

Result<Json> list_jobs(Master& master, const JobFilter& filter, std::size_t limit, bool& more,
                       const std::string& query) {
  Json jobs = Json::array();
  std::string cursor;
  for (;;) {
    const std::size_t wanted = std::min(page_size, limit - jobs.size());
    std::string target = "/v1/jobs?limit=" + std::to_string(wanted) + query_of(filter) + query;
    if (!cursor.empty()) target += "&cursor=" + percent_encode(cursor);
    auto page = master.get(target);
    if (!page) return tl::unexpected(page.error());
    for (const Json& job : member(*page, "jobs")) jobs.push_back(job);
    const Json& next = member(*page, "next_cursor");
    cursor = next.is_string() ? next.get<std::string>() : next.is_null() ? "" : next.dump();
    more = !cursor.empty();
    if (!more || jobs.size() >= limit) return jobs;
  }
}

Result<std::vector<Json>> select_jobs(Master& master, const std::vector<std::string>& given,
                                      const Choice& choice) {
  std::vector<Json> jobs;
  std::set<std::string> seen;
  // An element has the id of its array.
  const auto add = [&](Json job) {
    if (seen.insert(shown(job, "id") + '_' + shown(job, "index")).second) {
      jobs.push_back(std::move(job));
    }
  };
  for (const std::string& text : given) {
    const auto selector = parse_selector(text);
    if (!selector) return tl::unexpected(selector.error());
    if (selector->filter) {
      auto found = filtered(master, *selector, choice);
      if (!found) return tl::unexpected(found.error());
      for (Json& job : *found) add(std::move(job));
    }
    for (const std::string& several : selector->jobs) {
      const auto singles = single_elements(several);
      if (!singles) return tl::unexpected(singles.error());
      for (const std::string& one : *singles) {
        auto job = master.get(job_path(one));
        if (!job) return tl::unexpected(job.error());
        add(std::move(*job));
      }
    }
  }
  return jobs;
}

Result<std::vector<std::string>> select_paths(Master& master, const std::vector<std::string>& given,
                                              const Choice& choice) {
  std::vector<std::string> paths;
  for (const std::string& text : given) {
    const auto selector = parse_selector(text);
    if (!selector) return tl::unexpected(selector.error());
    paths.insert(paths.end(), selector->jobs.begin(), selector->jobs.end());
    if (!selector->filter) continue;
    const auto found = filtered(master, *selector, choice);
    if (!found) return tl::unexpected(found.error());
    for (const Json& job : *found) paths.push_back(std::to_string(id_of(job, "id")));
  }
  std::set<std::string> seen;
  std::erase_if(paths, [&](const std::string& path) { return !seen.insert(path).second; });
  return paths;
}

}  // namespace batch::cli
