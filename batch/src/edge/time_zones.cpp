// Time zones from the operating system's files, through Howard Hinnant's date library.
#include "batch/edge/time_zones.hpp"

#include <date/tz.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <stdexcept>

#include "posix_rule.hpp"

namespace batch {

namespace {

using librm::WallTime;

constexpr std::int64_t second_ns = 1'000'000'000;

struct Seconds {
  std::int64_t whole = 0;
  std::int64_t ns = 0;  ///< 0..999'999'999
};
Seconds seconds_of(std::int64_t ns) {
  const std::int64_t rest = (ns % second_ns + second_ns) % second_ns;
  // Divided before the rest is taken away, which would leave the range at its lower end.
  return {ns / second_ns - (ns % second_ns < 0 ? 1 : 0), rest};
}
/// Stays within 64 bits at the ends of what they hold.
std::int64_t ns_of(Seconds time) {
  using Limits = std::numeric_limits<std::int64_t>;
  __extension__ using Wide = __int128;
  const Wide ns = static_cast<Wide>(time.whole) * second_ns + time.ns;
  return static_cast<std::int64_t>(std::clamp<Wide>(ns, Limits::min(), Limits::max()));
}

struct Zone {
  const date::time_zone* table = nullptr;
  std::optional<PosixRule> rule;
};

/// Whether the table goes on for ever with what it has last.
bool is_last(const date::sys_info& info) {
  return info.end >= date::sys_days(date::year(3000) / 1 / 1);
}

std::int64_t instant_of(const Zone& zone, std::int64_t local_s) {
  const date::local_info info =
      zone.table->get_info(date::local_seconds(std::chrono::seconds(local_s)));
  if (zone.rule && info.result == date::local_info::unique && is_last(info.first)) {
    return zone.rule->instant_s(local_s);
  }
  // In a gap and where a time comes twice, the first offset is the one before the change.
  return local_s - info.first.offset.count();
}

std::int64_t local_of(const Zone& zone, std::int64_t instant_s) {
  const date::sys_info info =
      zone.table->get_info(date::sys_seconds(std::chrono::seconds(instant_s)));
  if (zone.rule && is_last(info)) return instant_s + zone.rule->offset_s(instant_s);
  return instant_s + info.offset.count();
}

/// The last line of the zone's file. The library reads the table and leaves this away.
std::optional<PosixRule> read_rule(const std::string& name) {
  std::ifstream file("/usr/share/zoneinfo/" + name, std::ios::binary);
  constexpr std::streamoff line_size_max = 128;
  file.seekg(0, std::ios::end);
  const std::streamoff size = file.tellg();
  if (size <= 0) return std::nullopt;
  file.seekg(std::max<std::streamoff>(0, size - line_size_max));
  std::string text(static_cast<std::size_t>(std::min(size, line_size_max)), '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!file || text.back() != '\n') return std::nullopt;
  text.pop_back();
  const std::size_t begin = text.rfind('\n');
  return begin == text.npos ? std::nullopt
                            : PosixRule::parse(std::string_view(text).substr(begin + 1));
}

/// Not a zone, but whatever this machine is set to.
bool is_zone_name(const std::string& name) {
  return name != "localtime" && name != "posixrules" && name != "Factory";
}

class SystemTimeZones final : public TimeZones {
 public:
  bool knows(const std::string& zone) const override { return is_utc(zone) || find(zone); }

  WallTime to_instant(const std::string& zone, LocalTime local) const override {
    const Zone* found = is_utc(zone) ? nullptr : find(zone);
    if (found == nullptr) return {local.ns};
    const Seconds time = seconds_of(local.ns);
    return {ns_of({instant_of(*found, time.whole), time.ns})};
  }

  LocalTime to_local(const std::string& zone, WallTime time) const override {
    const Zone* found = is_utc(zone) ? nullptr : find(zone);
    if (found == nullptr) return {time.ns};
    const Seconds instant = seconds_of(time.ns);
    return {ns_of({local_of(*found, instant.whole), instant.ns})};
  }

 private:
  static bool is_utc(const std::string& zone) { return zone == "UTC"; }

  const Zone* find(const std::string& name) const {
    {
      const std::shared_lock lock(mutex_);
      const auto found = zones_.find(name);
      if (found != zones_.end()) return found->second.get();
    }
    auto zone = load(name);
    if (!zone) return nullptr;
    const std::unique_lock lock(mutex_);
    return zones_.emplace(name, std::move(zone)).first->second.get();
  }

  static std::unique_ptr<Zone> load(const std::string& name) {
    if (!is_zone_name(name)) return nullptr;
    try {
      auto zone = std::make_unique<Zone>();
      zone->table = date::locate_zone(name);
      // The library reads the file when it is first asked, and throws if that fails.
      (void)zone->table->get_info(date::sys_seconds());
      zone->rule = read_rule(name);
      return zone;
    } catch (const std::runtime_error&) {
      return nullptr;
    }
  }

  mutable std::shared_mutex mutex_;
  /// Zones are added and never removed, so that pointers to them stay valid.
  mutable std::map<std::string, std::unique_ptr<Zone>> zones_;
};

}  // namespace

const TimeZones& system_time_zones() {
  static const SystemTimeZones zones;
  return zones;
}

std::vector<std::string> system_time_zone_names() {
  std::vector<std::string> names;
  try {
    for (const date::time_zone& zone : date::get_tzdb().zones) {
      if (is_zone_name(zone.name())) names.push_back(zone.name());
    }
  } catch (const std::runtime_error&) {
    names.clear();
  }
  if (names.empty()) names.emplace_back("UTC");
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace batch
