// What may be fetched, under which name, and what may come out of an archive; pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "librm/base/result.hpp"
#include "librm/cluster/task.hpp"

namespace librm::fetch {

struct Source {
  bool is_file = false;  ///< a path of this host, else a URL for the network
  std::string location;
  std::string name;  ///< the last segment of its path, decoded; may be empty
  bool operator==(const Source&) const = default;
};

/// Takes http, https and ftp, `file:///path`, `file://localhost/path` and absolute paths.
Result<Source> parse_source(std::string_view uri);

/// The URI for people: without user and password, printable.
std::string shown(std::string_view uri);

/// The parts of a relative path that stays below where it begins: no `..`, not absolute, no NUL.
/// `.` and empty parts are left out. The error says how it leads out.
Result<std::vector<std::string>> split_below(std::string_view path);

enum class Packing : std::uint8_t { none, archive, gzip };

/// By its ending: `.tar`, `.tar.gz`, `.tgz`, `.tar.bz2`, `.tbz2`, `.tar.xz`, `.txz` and `.zip` are
/// archives, another `.gz` is one packed file.
Packing packing_of(std::string_view name);

/// One file to fetch, checked.
struct Task {
  Source source;
  std::string shown;               ///< for messages
  std::vector<std::string> parts;  ///< of its path in the sandbox; at least one
  Packing packing = Packing::none;
  bool executable = false;
};

/// The name in the sandbox is never that of the task's own output.
Result<Task> plan_task(const Fetch& fetch);

// --- archives ---

enum class EntryKind : std::uint8_t { file, directory, symbolic_link, hard_link, other };

struct Entry {
  std::string path;
  EntryKind kind = EntryKind::file;
  std::string target;  ///< of a link
  unsigned mode = 0644;
};

struct UnpackLimits {
  std::uint64_t bytes_max = 0;
  std::uint64_t ratio_max = 250;                ///< unpacked bytes for one packed
  std::uint64_t ratio_free_bytes = 256u << 20;  ///< below this much the ratio is not looked at
  std::uint64_t entries_max = 2'000'000;
};

/// Judges an archive entry by entry. A link is taken only if it cannot lead out of the directory
/// into which is unpacked, whatever other links it leads through: a relative target goes up at its
/// beginning only, and no further than that directory. Nothing may be written through a link; that
/// is checked by who writes, at the file system.
class ArchiveRules {
 public:
  /// `at_top`: what is unpacked stands beside the task's own stdout and stderr.
  ArchiveRules(UnpackLimits limits, bool at_top) : limits_(limits), at_top_(at_top) {}

  /// The entry's path, cleaned; empty for the directory itself, which is nothing to do.
  Result<std::string> check(const Entry& entry);
  /// After each piece: bytes that have been written so far, and that have been read for them.
  Result<void> check_size(std::uint64_t unpacked, std::uint64_t packed) const;

 private:
  Result<void> check_link(const Entry& entry, std::size_t depth) const;

  UnpackLimits limits_;
  bool at_top_;
  std::uint64_t entries_ = 0;
};

/// Never setuid, setgid or sticky; its owner may always read and change it.
unsigned safe_mode(EntryKind kind, unsigned mode);

}  // namespace librm::fetch
