// All files of a plan, in order: downloaded, made executable or unpacked.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fetch/rules.hpp"
#include "fetch/sandbox.hpp"
#include "librm/base/result.hpp"
#include "shepherd/fetch_plan.hpp"

namespace librm::fetch {

class Fetcher {
 public:
  Fetcher(Sandbox sandbox, std::uint64_t bytes_max)
      : sandbox_(std::move(sandbox)), bytes_max_(bytes_max) {}

  /// The whole plan is checked before anything is fetched. The error says which file and why:
  /// `http://127.0.0.1:1/x: connection refused`.
  Result<void> run(const shepherd::FetchPlan& plan);
  /// A line for each file that was fetched.
  const std::vector<std::string>& progress() const { return progress_; }

 private:
  Result<void> fetch(const Task& task);
  Result<void> unpack(const Task& task, const Descriptor& file, const Descriptor& directory);

  Sandbox sandbox_;
  std::uint64_t bytes_max_;
  std::uint64_t fetched_ = 0;
  std::uint64_t unpacked_ = 0;
  std::vector<std::string> progress_;
};

}  // namespace librm::fetch
