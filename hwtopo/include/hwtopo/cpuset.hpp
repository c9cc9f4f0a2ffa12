// Sets of hardware threads by the operating system's numbers, and their text: `0-3,8`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "librm/base/result.hpp"

namespace hwtopo {

/// A value. Empty means "any": nothing is bound.
class Cpuset {
 public:
  /// As many hardware threads as a Topology may have; numbers are below it.
  static constexpr std::uint32_t cpus_max = 65'536;

  Cpuset() = default;
  /// In any order; what is named twice counts once.
  explicit Cpuset(std::vector<std::uint32_t> cpus);

  const std::vector<std::uint32_t>& cpus() const { return cpus_; }  ///< ascending
  std::size_t size() const { return cpus_.size(); }
  bool empty() const { return cpus_.empty(); }
  bool contains(std::uint32_t cpu) const;
  bool operator==(const Cpuset&) const = default;

 private:
  std::vector<std::uint32_t> cpus_;
};

/// As in /proc and cgroups: `0-3,8`; empty for the empty set.
std::string to_string(const Cpuset& set);

/// Reads that form, in any order. Fails with invalid_argument, for numbers from cpus_max on, too.
librm::Result<Cpuset> parse_cpuset(std::string_view text);

}  // namespace hwtopo
