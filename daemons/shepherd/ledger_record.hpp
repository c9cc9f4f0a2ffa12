// The records of the shepherd's ledger and their bytes; README.md documents the format.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "librm/base/time.hpp"
#include "librm/cluster/shepherd.hpp"

namespace librm::shepherd {

/// The file's first eight bytes; the last of them is the format's version.
inline constexpr std::string_view ledger_magic = "RMSHLED1";
inline constexpr std::size_t ledger_record_header_size = 8;  ///< body size u32, crc32c u32
inline constexpr std::size_t ledger_body_max = 4096;         ///< bytes
inline constexpr std::size_t ledger_error_max = 1024;        ///< bytes of TaskEnd::error

/// When a process was made, as /proc/<pid>/stat counts it (field 22, ticks of boot time): it lies
/// between the two, both included. Two clock readings around clone(2) cost a hundredth of reading
/// that file.
struct BirthTicks {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  bool contains(std::uint64_t ticks) const { return first <= ticks && ticks <= last; }
  bool operator==(const BirthTicks&) const = default;
};

/// The host's boot under which what follows was written, and the ledger's own random name, which
/// tasks carry in their environment.
struct LedgerBoot {
  std::string boot_id;
  std::uint64_t instance = 0;
  bool operator==(const LedgerBoot&) const = default;
};

/// Written before the process is made: from here on this key is never started again.
struct LedgerStarting {
  TaskKey key;
  bool operator==(const LedgerStarting&) const = default;
};

struct LedgerStarted {
  TaskKey key;
  std::int64_t pid = 0;
  BirthTicks born;
  WallTime started;
  bool operator==(const LedgerStarted&) const = default;
};

struct LedgerEnded {
  TaskEnd end;
  bool operator==(const LedgerEnded&) const = default;
};

/// How it ended is no longer of interest, that it was started still is.
struct LedgerForgotten {
  TaskKey key;
  bool operator==(const LedgerForgotten&) const = default;
};

/// A record's index here is not its number in the file.
using LedgerRecord =
    std::variant<LedgerBoot, LedgerStarting, LedgerStarted, LedgerEnded, LedgerForgotten>;

/// Appends the record's bytes. Precondition, checked: strings fit the body's limit.
void append_record(std::string& out, const LedgerRecord& record);

struct LedgerRead {
  enum class Status : std::uint8_t {
    record,      ///< `record` is valid and took `size` bytes
    incomplete,  ///< the bytes end before the record does: more follow, or the tail is torn
    corrupt,     ///< no correct shepherd wrote this
  };
  Status status = Status::incomplete;
  LedgerRecord record;
  std::size_t size = 0;
};

/// Reads the record at the beginning of `bytes`. Never reads past a claimed size that is above
/// the limit; a body may be longer than what is known of it, so that fields can be added.
LedgerRead read_record(std::string_view bytes);

}  // namespace librm::shepherd
