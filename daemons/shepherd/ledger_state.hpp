// What the ledger's records add up to: the shepherd's whole memory, changed by records alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "librm/base/time.hpp"
#include "librm/cluster/shepherd.hpp"
#include "shepherd/ledger_record.hpp"

namespace librm::shepherd {

/// The newest of a bounded number of keys, as 64-bit hashes: 100,000 keys take 3 MiB, and a key
/// that is not in it is taken for one that is once in 10^14 questions. The seed keeps anybody
/// from choosing keys that collide. Not thread-safe.
class ForgottenKeys {
 public:
  static constexpr std::size_t default_capacity = 100'000;

  explicit ForgottenKeys(std::uint64_t seed, std::size_t capacity = default_capacity)
      : seed_(seed), capacity_(capacity) {}

  bool contains(const TaskKey& key) const;
  /// Forgets the oldest key where there would be more than the capacity.
  void insert(const TaskKey& key);
  std::size_t size() const { return by_age_.size(); }

 private:
  std::uint64_t hash(const TaskKey& key) const;
  std::size_t slot_of(std::uint64_t hash) const;
  void place(std::uint64_t hash);
  void erase(std::uint64_t hash);
  void grow();

  std::uint64_t seed_;
  std::size_t capacity_;
  std::vector<std::uint64_t> by_age_;  // a ring once it is full
  std::size_t oldest_ = 0;
  std::vector<std::uint64_t> slots_;  // open addressing, linear probing; 0 is free
};

enum class TaskPhase : std::uint8_t {
  starting,  ///< its process may or may not have been made
  running,
  ended,
};

struct LedgerTask {
  TaskPhase phase = TaskPhase::starting;
  std::int64_t pid = 0;  ///< of the leader, from `running` on
  BirthTicks born;
  WallTime started;
  TaskEnd end;  ///< in `ended`
};

/// Pure: a function of the records applied. Not thread-safe.
class LedgerState {
 public:
  explicit LedgerState(std::uint64_t hash_seed,
                       std::size_t forgotten_max = ForgottenKeys::default_capacity)
      : forgotten_(hash_seed, forgotten_max) {}

  void apply(const LedgerRecord& record);

  /// True for every key that was ever started, as far as the bound on forgotten ones goes.
  bool knows(const TaskKey& key) const;
  /// Null where it is unknown or forgotten; valid until the next apply().
  const LedgerTask* find(const TaskKey& key) const;
  bool is_forgotten(const TaskKey& key) const { return forgotten_.contains(key); }
  const std::map<TaskKey, LedgerTask>& tasks() const { return tasks_; }
  const LedgerBoot& boot() const { return boot_; }

  /// The records that rebuild this, but for forgotten keys, of which only hashes are known.
  std::vector<LedgerRecord> records() const;

 private:
  LedgerBoot boot_;
  std::map<TaskKey, LedgerTask> tasks_;
  ForgottenKeys forgotten_;
};

}  // namespace librm::shepherd
