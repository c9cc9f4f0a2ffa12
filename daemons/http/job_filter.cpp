// Reading and applying what a list of jobs is asked for.
#include "http/job_filter.hpp"

#include <algorithm>
#include <string_view>

#include "http/text.hpp"

namespace librm::http {

using batch::Job;

namespace {

/// The text before the next comma, which is removed with it.
std::string_view take_part(std::string_view& rest) {
  const std::string_view part = rest.substr(0, rest.find(','));
  rest.remove_prefix(std::min(rest.size(), part.size() + 1));
  return part;
}

Result<std::set<batch::JobState>> read_states(std::string_view rest) {
  constexpr int last = static_cast<int>(batch::JobState::cancelled);
  std::set<batch::JobState> states;
  std::string known;
  for (int i = 1; i <= last; ++i) {
    known += (i == 1 ? "" : ", ") + std::string(to_string(static_cast<batch::JobState>(i)));
  }
  while (!rest.empty()) {
    const std::string_view word = take_part(rest);
    bool is_known = word.empty();
    for (int i = 1; i <= last; ++i) {
      const auto state = static_cast<batch::JobState>(i);
      if (word != to_string(state)) continue;
      is_known = true;
      states.insert(state);
    }
    if (is_known) continue;
    return fail(ErrorCode::invalid_argument,
                "unknown job state '" + std::string(word) + "'; there are " + known);
  }
  return states;
}

Result<std::map<std::string, std::string>> read_labels(std::string_view rest) {
  std::map<std::string, std::string> labels;
  while (!rest.empty()) {
    const std::string_view part = take_part(rest);
    const std::size_t equals = part.find('=');
    if (equals == 0 || equals == part.npos) {
      return fail(ErrorCode::invalid_argument, "query parameter 'label' has '" + std::string(part) +
                                                   "'; it looks like KEY=PATTERN,KEY=PATTERN");
    }
    labels[std::string(part.substr(0, equals))] = std::string(part.substr(equals + 1));
  }
  return labels;
}

Result<std::optional<WallTime>> read_time(const HttpRequest& request, const char* name) {
  if (!request.query.contains(name)) return std::nullopt;
  const std::string_view text = request.parameter(name);
  const auto time = parse_rfc3339(text);
  if (time) return time;
  return fail(ErrorCode::invalid_argument, "query parameter '" + std::string(name) + "' is '" +
                                               std::string(text) +
                                               "'; a time looks like 2026-01-01T00:00:00Z");
}

}  // namespace

Result<JobFilter> read_job_filter(const HttpRequest& request) {
  JobFilter filter;
  auto states = read_states(request.parameter("state"));
  if (!states) return tl::unexpected(states.error());
  auto labels = read_labels(request.parameter("label"));
  if (!labels) return tl::unexpected(labels.error());
  const auto after = read_time(request, "ended_after");
  if (!after) return tl::unexpected(after.error());
  const auto before = read_time(request, "ended_before");
  if (!before) return tl::unexpected(before.error());
  filter.states = std::move(*states);
  filter.name = request.parameter("name");
  filter.owner = request.parameter("owner");
  filter.labels = std::move(*labels);
  filter.ended_after = *after;
  filter.ended_before = *before;
  return filter;
}

bool matches(const JobFilter& filter, const Job& job) {
  if (!filter.states.empty() && !filter.states.contains(job.state)) return false;
  if (!filter.name.empty() && !glob_match(filter.name, job.spec.name)) return false;
  if (!filter.owner.empty() && !glob_match(filter.owner, job.spec.owner)) return false;
  if (filter.ended_after && (!job.ended || *job.ended < *filter.ended_after)) return false;
  if (filter.ended_before && (!job.ended || *job.ended >= *filter.ended_before)) return false;
  return std::all_of(filter.labels.begin(), filter.labels.end(), [&](const auto& wanted) {
    const auto found = job.spec.labels.find(wanted.first);
    return found != job.spec.labels.end() && glob_match(wanted.second, found->second);
  });
}

}  // namespace librm::http
