// The text of cpusets.
#include "hwtopo/cpuset.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace hwtopo {
namespace {

librm::Result<Cpuset> bad(std::string_view text) {
  // What is wrong may be long; its beginning tells enough.
  return librm::fail(librm::ErrorCode::invalid_argument,
                     "cpuset: '" + std::string(text.substr(0, 100)) +
                         "' is not like '0-3,8' with numbers below " +
                         std::to_string(Cpuset::cpus_max));
}

/// Reads a number from the front of `text` and removes it.
bool take_number(std::string_view& text, std::uint32_t& number) {
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number >= Cpuset::cpus_max) return false;
  text.remove_prefix(static_cast<std::size_t>(stop - text.data()));
  return true;
}

}  // namespace

Cpuset::Cpuset(std::vector<std::uint32_t> cpus) : cpus_(std::move(cpus)) {
  std::sort(cpus_.begin(), cpus_.end());
  cpus_.erase(std::unique(cpus_.begin(), cpus_.end()), cpus_.end());
}

bool Cpuset::contains(std::uint32_t cpu) const {
  return std::binary_search(cpus_.begin(), cpus_.end(), cpu);
}

std::string to_string(const Cpuset& set) {
  const std::vector<std::uint32_t>& cpus = set.cpus();
  std::string text;
  for (std::size_t i = 0; i < cpus.size();) {
    std::size_t last = i;
    while (last + 1 < cpus.size() && cpus[last + 1] == cpus[last] + 1) ++last;
    if (!text.empty()) text += ',';
    text += std::to_string(cpus[i]);
    if (last > i) text += '-' + std::to_string(cpus[last]);
    i = last + 1;
  }
  return text;
}

librm::Result<Cpuset> parse_cpuset(std::string_view text) {
  std::vector<bool> named(Cpuset::cpus_max);  // so that repetitions cost no memory
  std::string_view rest = text;
  while (!rest.empty()) {
    std::uint32_t first = 0;
    if (!take_number(rest, first)) return bad(text);
    std::uint32_t last = first;
    if (!rest.empty() && rest.front() == '-') {
      rest.remove_prefix(1);
      if (!take_number(rest, last) || last < first) return bad(text);
    }
    std::fill(named.begin() + first, named.begin() + last + 1, true);
    if (rest.empty()) break;
    if (rest.front() != ',' || rest.size() == 1) return bad(text);
    rest.remove_prefix(1);
  }
  std::vector<std::uint32_t> cpus;
  for (std::uint32_t cpu = 0; cpu < Cpuset::cpus_max; ++cpu) {
    if (named[cpu]) cpus.push_back(cpu);
  }
  return Cpuset(std::move(cpus));
}

}  // namespace hwtopo
