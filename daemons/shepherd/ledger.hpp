// The ledger's file: why no key is ever started twice, whatever kills the shepherd.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "librm/base/result.hpp"
#include "librm/base/time.hpp"
#include "shepherd/descriptor.hpp"
#include "shepherd/ledger_record.hpp"
#include "shepherd/ledger_state.hpp"

namespace librm::shepherd {

struct LedgerOptions {
  std::string path;
  std::string boot_id;            ///< of this boot of the host
  std::uint64_t instance_if_new;  ///< random; names the ledger if it has to be made
  std::uint64_t hash_seed;        ///< random
  std::size_t forgotten_max = ForgottenKeys::default_capacity;
  std::size_t compact_on_open_bytes = 16u << 20;
  std::size_t compact_on_run_bytes = 64u << 20;
};

/// An append-only file and the state that it adds up to. It is written without fsync: the page
/// cache survives the shepherd, and what a crash of the host loses are tasks that ended with it.
/// Not thread-safe.
class Ledger {
 public:
  /// Reads what is there. A record that the file ends in the middle of is cut off: nothing was
  /// done about it yet. Under another boot id everything that ran is ended as unknown at `now`.
  /// Fails with `corrupt` where bytes of this boot are damaged: to go on could start a task
  /// twice.
  static Result<Ledger> open(const LedgerOptions& options, WallTime now);

  const LedgerState& state() const { return state_; }

  /// Applies the record and queues its bytes for the next flush().
  void append(const LedgerRecord& record);
  /// One write(2) for all that is queued. What could not be written stays queued.
  Result<void> flush();
  bool has_unwritten() const { return !pending_.empty(); }
  /// Rewrites the file without what is no longer needed, if it grew large. An error leaves the
  /// old file in use.
  Result<void> compact_if_large();
  std::size_t size_bytes() const { return size_; }

 private:
  Ledger(LedgerOptions options, Descriptor file)
      : options_(std::move(options)),
        file_(std::move(file)),
        state_(options_.hash_seed, options_.forgotten_max),
        compact_at_(options_.compact_on_run_bytes) {}

  Result<void> load(WallTime now);
  void end_all_as_unknown(WallTime now);
  Result<void> compact();

  LedgerOptions options_;
  Descriptor file_;
  LedgerState state_;
  std::string pending_;
  std::size_t size_ = 0;
  std::size_t compact_at_ = 0;
};

}  // namespace librm::shepherd
