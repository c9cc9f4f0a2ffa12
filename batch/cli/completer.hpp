// What may come next on a command line of rmctl.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace batch::cli {

struct Candidate {
  std::string word;
  std::string about;  ///< one line, may be empty
};

/// Where words come from that only the master knows. Each is called at most once; those that fail
/// give nothing.
struct CompletionSources {
  /// Ids and names of jobs in these states, any where there are none; `prefix` may narrow them.
  std::function<std::vector<Candidate>(const std::vector<std::string>& states,
                                       const std::string& prefix)>
      jobs;
  std::function<std::vector<Candidate>()> schedules;
  std::function<std::vector<Candidate>()> nodes;
  std::function<std::vector<Candidate>()> roles;
};

struct Completion {
  std::vector<Candidate> candidates;  ///< all begin with what was typed
  bool files = false;                 ///< names of files fit, too
};

/// `words` follow the program's name; the last one, which may be empty, is being typed.
Completion complete(const std::vector<std::string>& words, const CompletionSources& sources);

/// Of `bash`, `zsh` or `fish`; empty for another.
std::string completion_script(const std::string& shell);

}  // namespace batch::cli
