// Replays ledger records, and keeps the hashes of forgotten keys in bounded room.
#include "shepherd/ledger_state.hpp"

#include <bit>
#include <utility>
#include <variant>

#include "librm/wire/little_endian.hpp"

namespace librm::shepherd {
namespace {

/// The two halves of a 128-bit product, folded: every input bit reaches every output bit.
std::uint64_t fold_multiply(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

constexpr std::uint64_t mix_first = 0x9e3779b97f4a7c15u;
constexpr std::uint64_t mix_second = 0xbf58476d1ce4e5b9u;

}  // namespace

std::uint64_t ForgottenKeys::hash(const TaskKey& key) const {
  std::uint64_t state = fold_multiply(key.framework.value ^ mix_first, seed_ ^ mix_second);
  std::size_t at = 0;
  for (; key.task.size() - at >= 8; at += 8) {
    const auto word = detail::load_little_endian<std::uint64_t>(key.task.data() + at);
    state = fold_multiply(state ^ word ^ mix_first, seed_ ^ mix_second);
  }
  std::uint64_t tail = 0;
  for (; at < key.task.size(); ++at) tail = (tail << 8) | static_cast<unsigned char>(key.task[at]);
  state = fold_multiply(state ^ tail ^ mix_second, seed_ ^ key.task.size() ^ mix_first);
  return state == 0 ? 1 : state;
}

/// Where the hash is, or the free slot where it would be.
std::size_t ForgottenKeys::slot_of(std::uint64_t hash) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t slot = hash & mask;
  while (slots_[slot] != 0 && slots_[slot] != hash) slot = (slot + 1) & mask;
  return slot;
}

bool ForgottenKeys::contains(const TaskKey& key) const {
  if (slots_.empty()) return false;
  const std::uint64_t wanted = hash(key);
  return slots_[slot_of(wanted)] == wanted;
}

void ForgottenKeys::insert(const TaskKey& key) {
  if (capacity_ == 0 || contains(key)) return;
  const std::uint64_t added = hash(key);
  if (by_age_.size() < capacity_) {
    by_age_.push_back(added);
    if (slots_.size() < 2 * by_age_.size()) grow();
  } else {
    erase(by_age_[oldest_]);
    by_age_[oldest_] = added;
    oldest_ = (oldest_ + 1) % capacity_;
  }
  place(added);
}

void ForgottenKeys::place(std::uint64_t hash) { slots_[slot_of(hash)] = hash; }

void ForgottenKeys::erase(std::uint64_t hash) {
  const std::size_t mask = slots_.size() - 1;
  std::size_t hole = slot_of(hash);
  slots_[hole] = 0;
  // What was pushed past the hole by a collision moves back, or it could not be found again.
  for (std::size_t next = (hole + 1) & mask; slots_[next] != 0; next = (next + 1) & mask) {
    const std::size_t home = slots_[next] & mask;
    if (((next - home) & mask) < ((next - hole) & mask)) continue;
    slots_[hole] = std::exchange(slots_[next], 0);
    hole = next;
  }
}

void ForgottenKeys::grow() {
  slots_.assign(std::bit_ceil(4 * by_age_.size()), 0);
  for (std::uint64_t hash : by_age_) place(hash);
}

void LedgerState::apply(const LedgerRecord& record) {
  if (const auto* boot = std::get_if<LedgerBoot>(&record)) {
    boot_ = *boot;
  } else if (const auto* starting = std::get_if<LedgerStarting>(&record)) {
    tasks_.try_emplace(starting->key);
  } else if (const auto* started = std::get_if<LedgerStarted>(&record)) {
    LedgerTask& task = tasks_[started->key];
    task.phase = TaskPhase::running;
    task.pid = started->pid;
    task.born = started->born;
    task.started = started->started;
  } else if (const auto* ended = std::get_if<LedgerEnded>(&record)) {
    LedgerTask& task = tasks_[ended->end.key];
    task.phase = TaskPhase::ended;
    task.end = ended->end;
  } else if (const auto* forgotten = std::get_if<LedgerForgotten>(&record)) {
    tasks_.erase(forgotten->key);
    forgotten_.insert(forgotten->key);
  }
}

bool LedgerState::knows(const TaskKey& key) const {
  return tasks_.contains(key) || forgotten_.contains(key);
}

const LedgerTask* LedgerState::find(const TaskKey& key) const {
  auto found = tasks_.find(key);
  return found == tasks_.end() ? nullptr : &found->second;
}

std::vector<LedgerRecord> LedgerState::records() const {
  std::vector<LedgerRecord> records{boot_};
  for (const auto& [key, task] : tasks_) {
    switch (task.phase) {
      case TaskPhase::starting:
        records.push_back(LedgerStarting{key});
        break;
      case TaskPhase::running:
        records.push_back(LedgerStarted{key, task.pid, task.born, task.started});
        break;
      case TaskPhase::ended:
        records.push_back(LedgerEnded{task.end});
        break;
    }
  }
  return records;
}

}  // namespace librm::shepherd
