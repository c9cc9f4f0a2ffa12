// Bodies of the simulated journal.
#include "librm/sim/disk.hpp"

#include <algorithm>
#include <utility>

#include "librm/sim/world.hpp"

namespace librm::sim {

Disk::Disk(World& world, std::string name, DiskOptions options)
    : world_(world), name_(std::move(name)), options_(options) {}

std::uint64_t Disk::open(OnDurable on_durable) {
  const Lsn before = durable_;
  const bool owed = !waiting_.empty() && on_durable_;
  OnDurable old = std::exchange(on_durable_, std::move(on_durable));
  settle();
  const Lsn kept = durable_;
  if (owed) {
    // The old owner may or may not hear that a commit of its went through; the rest failed.
    const bool hears = kept > before && world_.random().chance(1, 2);
    world_.after(world_.draw(Duration{}, seconds(2)), [old = std::move(old), hears, kept] {
      if (hears) old(kept);
      old(tl::unexpected<Error>(Error{ErrorCode::stale, "journal: a newer leader has it"}));
    });
  }
  return ++owner_;
}

Result<Lsn> Disk::append(std::uint64_t owner, std::vector<RecordEntry> batch, Sync sync) {
  if (owner != owner_) return fail(ErrorCode::stale, "journal: a newer leader has it");
  Batch rows;
  rows.sync = sync;
  for (RecordEntry& entry : batch) {
    world_.mix(entry.payload);
    rows.rows.push_back({next_lsn_++, std::move(entry)});
  }
  waiting_.push_back(std::move(rows));
  if (!syncing_) start_sync();
  return last_lsn();
}

void Disk::write_snapshot(std::uint64_t owner, std::vector<RecordEntry> entries) {
  if (owner != owner_) return;
  Batch rows;
  rows.snapshot = true;
  for (RecordEntry& entry : entries) rows.rows.push_back({last_lsn(), std::move(entry)});
  waiting_.push_back(std::move(rows));
  if (!syncing_) start_sync();
}

void Disk::start_sync() {
  syncing_ = true;
  // Group commit: what is queued now goes together, what comes later waits for the next round.
  const std::size_t batches = waiting_.size();
  const bool full = std::any_of(waiting_.begin(), waiting_.end(),
                                [](const Batch& batch) { return batch.sync == Sync::full; });
  const Duration sync_max = world_.rarely("slow sync") ? seconds(3) : options_.sync_max;
  const Duration delay = full ? world_.draw_skewed(options_.sync_min, sync_max)
                              : world_.draw_skewed(Duration{}, options_.cached_max);
  world_.after(delay, [this, batches, generation = sync_generation_] {
    if (generation == sync_generation_) finish_sync(batches);
  });
}

void Disk::finish_sync(std::size_t batches) {
  syncing_ = false;
  if (failure_) {
    Error error = *std::exchange(failure_, std::nullopt);
    settle();
    OnDurable callback = std::exchange(on_durable_, nullptr);
    ++owner_;
    if (callback) callback(tl::unexpected<Error>(std::move(error)));
    return;
  }
  for (; batches > 0; --batches) {
    commit(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  if (!waiting_.empty()) start_sync();
  if (on_durable_) on_durable_(durable_);
}

void Disk::commit(Batch batch) {
  if (batch.snapshot) {
    rows_.clear();
  } else {
    if (!batch.rows.empty()) durable_ = batch.rows.back().lsn;
    if (on_commit_) {
      for (const Row& row : batch.rows) on_commit_(row.lsn, row.entry);
    }
  }
  std::move(batch.rows.begin(), batch.rows.end(), std::back_inserter(rows_));
  if (batch.sync == Sync::full) synced_ = rows_.size();
}

/// Whatever is on its way is decided now: a prefix of the batches is there, the rest is not.
void Disk::settle() {
  ++sync_generation_;
  syncing_ = false;
  std::size_t kept = world_.random().below(waiting_.size() + 1);
  Lsn lost = 0;
  for (Batch& batch : waiting_) {
    if (kept > 0) {
      --kept;
      commit(std::move(batch));
    } else if (!batch.snapshot) {
      lost += batch.rows.size();
    }
  }
  waiting_.clear();
  next_lsn_ -= lost;
  if (lost > 0) world_.trace(name_, "loses its last " + std::to_string(lost) + " records");
}

void Disk::process_crash(std::uint64_t owner) {
  if (owner != owner_) return;
  on_durable_ = nullptr;
  settle();
  ++owner_;
}

void Disk::host_crash() {
  on_durable_ = nullptr;
  settle();
  ++owner_;
  if (rows_.size() > synced_) {
    const std::size_t kept = synced_ + world_.random().below(rows_.size() - synced_ + 1);
    if (kept < rows_.size()) {
      world_.trace(name_, "loses " + std::to_string(rows_.size() - kept) + " cached records");
      next_lsn_ = rows_[kept].lsn;
      rows_.resize(kept);
      durable_ = last_lsn();
    }
  }
  synced_ = rows_.size();
}

void Disk::wipe() {
  host_crash();
  rows_.clear();
  synced_ = 0;
  durable_ = 0;
  next_lsn_ = 1;
}

std::vector<RecordEntry> Disk::contents(bool with_waiting) const {
  std::vector<RecordEntry> entries;
  for (const Row& row : rows_) entries.push_back(row.entry);
  if (!with_waiting) return entries;
  for (const Batch& batch : waiting_) {
    if (batch.snapshot) entries.clear();
    for (const Row& row : batch.rows) entries.push_back(row.entry);
  }
  return entries;
}

}  // namespace librm::sim
