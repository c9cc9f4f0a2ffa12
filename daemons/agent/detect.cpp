// Asks the system what this host has.
#include "agent/detect.hpp"

#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <fstream>
#include <memory>
#include <set>
#include <utility>

#include "common/log.hpp"
#include "hwtopo/placement.hpp"

namespace librm::daemon {
namespace {

constexpr std::int64_t mib = 1 << 20;
constexpr std::int64_t memory_for_system_mib = 1024;
constexpr std::int64_t disk_for_system_mib = 5 * 1024;

/// All but the system's part, or half of what is too small for that.
std::int64_t less_reserve(std::int64_t total, std::int64_t reserve) {
  return total < 2 * reserve ? total / 2 : total - reserve;
}

struct Machine {
  std::int64_t cpus = 1;
  std::int64_t memory_mib = 0;
};

Machine ask_kernel() {
  const long pages = ::sysconf(_SC_PHYS_PAGES);
  const long page = ::sysconf(_SC_PAGESIZE);
  Machine machine;
  machine.cpus = std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN));
  if (pages > 0 && page > 0) machine.memory_mib = static_cast<std::int64_t>(pages) * page / mib;
  return machine;
}

/// What this process may use, which in a container is less than what the kernel counts.
Machine counts_of(const hwtopo::Topology* topology) {
  const Machine kernel = ask_kernel();
  if (topology == nullptr) return kernel;
  const std::int64_t memory_mib = static_cast<std::int64_t>(topology->memory_bytes() / mib);
  return {std::max<std::int64_t>(1, static_cast<std::int64_t>(topology->pus.size())),
          memory_mib > 0 ? memory_mib : kernel.memory_mib};
}

std::int64_t disk_mib(const std::string& path) {
  struct statvfs status {};
  if (::statvfs(path.c_str(), &status) != 0) return 0;
  return static_cast<std::int64_t>(status.f_blocks) * static_cast<std::int64_t>(status.f_frsize) /
         mib;
}

}  // namespace

Result<std::optional<hwtopo::Topology>> detect_topology(const std::string& synthetic) {
  Result<hwtopo::Topology> topology =
      synthetic.empty() ? hwtopo::discover() : hwtopo::from_synthetic(synthetic);
  if (!topology && !synthetic.empty()) return tl::unexpected<Error>(topology.error());
  if (!topology) {
    log(LogLevel::warn, "no topology, so the kernel's counts are used and nothing is bound",
        {{"error", topology.error().message}});
    return std::optional<hwtopo::Topology>();
  }
  log(LogLevel::info, "topology", {{"machine", hwtopo::to_string(*topology)}});
  return std::optional<hwtopo::Topology>(std::move(*topology));
}

CpuPicker cpu_picker(hwtopo::Topology topology) {
  return [shared = std::make_shared<const hwtopo::Topology>(std::move(topology))](
             const CpuLoad& load, Amount cpus) {
    const Result<hwtopo::Cpuset> picked = hwtopo::pick_cpus(*shared, load, cpus);
    return picked ? picked->cpus() : std::vector<std::uint32_t>{};
  };
}

Resources detect_resources(const std::string& work_dir, const hwtopo::Topology* topology) {
  const Machine machine = counts_of(topology);
  Resources found = Resources::scalar("cpus", Amount::units(machine.cpus));
  found += Resources::scalar(
      "mem", Amount::units(less_reserve(machine.memory_mib, memory_for_system_mib)));
  found += Resources::scalar("disk",
                             Amount::units(less_reserve(disk_mib(work_dir), disk_for_system_mib)));
  Resource ports;
  ports.name = "ports";
  ports.value = Ranges({{31000, 32000}});
  found.add(std::move(ports));
  return found;
}

Result<Resources> read_given_resources(const std::string& text, const std::string& default_role) {
  Result<Resources> given = Resources::parse(text, default_role);
  if (!given) return given;
  for (const Resource& entry : given->list()) {
    const bool dynamic = std::any_of(entry.reservations.begin(), entry.reservations.end(),
                                     [](const Reservation& layer) { return layer.dynamic; });
    if (!dynamic && !entry.volume) continue;
    return fail(ErrorCode::invalid_argument,
                key_of(entry) + ": an agent starts with static reservations, such as cpus(eng):4");
  }
  return given;
}

Resources override_resources(const Resources& detected, const Resources& given,
                             const std::string& default_role) {
  std::set<std::string> names;
  for (const Resource& resource : given.list()) names.insert(resource.name);
  Resources result = given;
  for (Resource resource : detected.list()) {
    if (names.contains(resource.name)) continue;
    resource.reservations = reserved_for(default_role);
    result.add(std::move(resource));
  }
  return result;
}

Result<Incarnation> read_incarnation() {
  const char* path = "/proc/sys/kernel/random/boot_id";
  std::ifstream file(path);
  std::string text;
  file >> text;
  std::erase(text, '-');
  Incarnation incarnation;
  const std::size_t digits = std::min<std::size_t>(text.size(), 16);
  const auto [stop, error] =
      std::from_chars(text.data(), text.data() + digits, incarnation.value, 16);
  if (digits < 16 || error != std::errc() || stop != text.data() + digits) {
    return fail(ErrorCode::io_error, std::string(path) + ": cannot read this boot's id");
  }
  if (!incarnation) incarnation.value = 1;
  return incarnation;
}

std::string detect_hostname() {
  char name[256] = "localhost";
  ::gethostname(name, sizeof name - 1);
  return name;
}

std::string beside_own_program(const std::string& name) {
  char path[4096];
  const ssize_t size = ::readlink("/proc/self/exe", path, sizeof path);
  std::string own(path, size > 0 ? static_cast<std::size_t>(size) : 0);
  const std::size_t slash = own.rfind('/');
  return slash == std::string::npos ? name : own.substr(0, slash + 1) + name;
}

}  // namespace librm::daemon
