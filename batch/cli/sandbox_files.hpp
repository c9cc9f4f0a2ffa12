// The files of a job's attempt, read at its agent: where they are, lists, tails.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "json_view.hpp"
#include "librm/base/result.hpp"
#include "log_stream.hpp"

namespace CLI {
class App;
}

namespace batch::cli {

/// `JOB:PATH` as people write it.
struct SandboxPlace {
  std::string job;   ///< a selector
  std::string path;  ///< below the sandbox; empty for the sandbox itself
};

/// Without a colon the path is empty. Slashes at the end are dropped.
SandboxPlace parse_place(const std::string& text);
/// `42:data/a`, safe for a terminal.
std::string shown(const SandboxPlace& place);

struct SandboxEntry {
  std::string name;
  std::string type{};  ///< file, directory, link, other
  std::uint64_t size = 0;
  std::string mode{};  ///< `rw-r--r--`
  std::string modified{};
};

/// The permissions of `rwxr-x---`; of anything else, those of a file that only its owner sees.
unsigned parse_mode(const std::string& text);

/// One attempt's sandbox. Requests are repeated for a minute while master or agent restarts.
class Sandbox {
 public:
  /// Resolves `last` and names once, so that all that follows is of the same job. `attempt` 0 is
  /// the last one.
  static librm::Result<Sandbox> find(Master& master, const std::string& selector,
                                     std::uint32_t attempt);

  const std::string& job() const { return job_; }
  /// What the agent answers; at most 10,000 entries, else it is marked as truncated.
  librm::Result<Json> list(const std::string& path) const;
  static std::vector<SandboxEntry> entries_of(const Json& listing);

  struct Tail {
    std::string bytes;
    std::int64_t end = 0;  ///< offset behind them
  };
  /// The last `lines` lines of a file.
  librm::Result<Tail> tail(const std::string& path, std::uint64_t lines) const;

  LogStream::Source source(const std::string& path, std::int64_t offset, bool follow) const;

 private:
  Sandbox(Master& master, std::string job, std::uint32_t attempt)
      : master_(&master), job_(std::move(job)), attempt_(attempt) {}
  librm::Result<Url> locate() const;
  librm::Result<Response> ask_once(std::string_view route, const std::string& path,
                                   const std::string& more) const;
  librm::Result<Response> ask(std::string_view route, const std::string& path,
                              const std::string& more) const;

  Master* master_;
  std::string job_;
  std::uint32_t attempt_;
};

/// `--attempt N`.
void define_attempt(CLI::App& app, std::uint32_t& attempt);

}  // namespace batch::cli
