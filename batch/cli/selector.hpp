// Which jobs are meant: ids, names, ranges of ids, elements of arrays, and patterns.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "json_view.hpp"
#include "librm/base/result.hpp"
#include "master.hpp"

namespace batch::cli {

/// All of it must be so; what is empty asks for nothing. Patterns have `*` and `?`.
struct JobFilter {
  std::string name;   ///< pattern
  std::string owner;  ///< pattern
  std::vector<std::string> states;
  std::map<std::string, std::string> labels;  ///< key, pattern of its value
  bool operator==(const JobFilter&) const = default;
};

struct Selector {
  std::string text;                 ///< as given
  std::vector<std::string> jobs;    ///< each one job, or elements of one, as the master reads it
  std::optional<JobFilter> filter;  ///< in their place
  bool all = false;                 ///< the word `all`, whose filter is empty
};

/// Reads `42`, `last`, `last-2`, a name, `40-45`, `42_7`, `42[3,7-9]`, `all`, and terms that are
/// joined by commas and must all be so: `train*` or `name=train*`, `state=failed,cancelled`,
/// `owner=ann`, `label.team=red`. Fails with invalid_argument and says what is wrong.
librm::Result<Selector> parse_selector(const std::string& text);

/// `42[3,7-8]` as `42_3`, `42_7`, `42_8`; what names one job or element stays.
librm::Result<std::vector<std::string>> single_elements(const std::string& job);

/// Fails where one of them is none; says which there are, with `option` in front.
librm::Result<void> check_states(const char* option, const std::vector<std::string>& states);
/// Those of jobs that are not over.
const std::vector<std::string>& live_states();
/// finished, failed, cancelled.
const std::vector<std::string>& ended_states();

/// Whether a job as the master shows it is meant.
bool matches(const JobFilter& filter, const Json& job);
/// `&name=train%2A&state=failed`: parameters of GET /v1/jobs.
std::string query_of(const JobFilter& filter);

/// Newest first, page by page; `more` says whether there are others beyond `limit`. `query` is of
/// further parameters, such as `&attempts=1`.
librm::Result<Json> list_jobs(Master& master, const JobFilter& filter, std::size_t limit,
                              bool& more, const std::string& query = "");

struct Choice {
  /// Of selectors by pattern that name no state; empty: any, but `all` means live ones then.
  std::vector<std::string> states;
  bool attempts = false;  ///< jobs that patterns select have them, too
};

/// The jobs that are meant, each once: in the order of the selectors, and those of a pattern by id.
/// A selector that selects nothing is an error (not_found) which names it.
librm::Result<std::vector<Json>> select_jobs(Master& master, const std::vector<std::string>& given,
                                             const Choice& choice);
/// The same as what stands in a path for each. A job that is named is not asked for.
librm::Result<std::vector<std::string>> select_paths(Master& master,
                                                     const std::vector<std::string>& given,
                                                     const Choice& choice);

/// What the options of verbs say about selectors.
inline constexpr const char* selector_help =
    "ids, names, last, 40-45, 42[3-9], or patterns: train*, state=failed";

}  // namespace batch::cli
