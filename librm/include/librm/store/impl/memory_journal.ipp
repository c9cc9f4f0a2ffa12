// Bodies of the journal in memory.
#pragma once

#include <algorithm>
#include <utility>

#include "librm/store/memory_journal.hpp"

namespace librm {

LIBRM_DECL std::size_t MemoryJournal::records_of(const Operation& operation) {
  if (const auto* append = std::get_if<Append>(&operation)) return append->batch.size();
  if (const auto* slice = std::get_if<Slice>(&operation)) return slice->entries.size();
  return 0;
}

LIBRM_DECL Result<void> MemoryJournal::queue(Operation operation) {
  if (failed_) return tl::unexpected<Error>(*failed_);
  const std::size_t records = records_of(operation);
  if (waiting_records_ > 0 && records > backlog_max_ - std::min(backlog_max_, waiting_records_)) {
    return fail(ErrorCode::resource_exhausted, "journal: backlog: need room for " +
                                                   std::to_string(records) + " records, " +
                                                   std::to_string(waiting_records_) + " of " +
                                                   std::to_string(backlog_max_) + " wait");
  }
  waiting_records_ += records;
  waiting_.push_back(std::move(operation));
  return {};
}

LIBRM_DECL Result<Lsn> MemoryJournal::append(std::vector<RecordEntry> batch, Sync sync) {
  if (failed_) return tl::unexpected<Error>(*failed_);
  if (batch.empty()) return last_lsn_;
  const Lsn last = last_lsn_ + batch.size();
  Result<void> queued = queue(Append{last_lsn_ + 1, epoch_, sync, std::move(batch)});
  if (!queued) return tl::unexpected<Error>(std::move(queued.error()));
  return last_lsn_ = last;
}

LIBRM_DECL Result<std::uint64_t> MemoryJournal::begin_snapshot(std::uint16_t stream) {
  const std::uint64_t generation = generation_last_ + 1;
  Result<void> queued = queue(Begin{Snapshot{generation, stream, last_lsn_, {}}});
  if (!queued) return tl::unexpected<Error>(std::move(queued.error()));
  open_snapshots_.insert(generation);
  return generation_last_ = generation;
}

LIBRM_DECL Result<void> MemoryJournal::append_slice(std::uint64_t generation,
                                                    std::vector<RecordEntry> slice) {
  if (!open_snapshots_.contains(generation)) {
    return fail(ErrorCode::not_found,
                "journal: snapshot " + std::to_string(generation) + ": not begun, or finished");
  }
  return queue(Slice{generation, std::move(slice)});
}

LIBRM_DECL Result<void> MemoryJournal::finish_snapshot(std::uint64_t generation) {
  if (!open_snapshots_.contains(generation)) {
    return fail(ErrorCode::not_found,
                "journal: snapshot " + std::to_string(generation) + ": not begun, or finished");
  }
  Result<void> queued = queue(Finish{generation});
  if (queued) open_snapshots_.erase(generation);
  return queued;
}

LIBRM_DECL void MemoryJournal::perform(State& state, const Operation& operation) {
  if (const auto* append = std::get_if<Append>(&operation)) {
    Lsn lsn = append->first;
    for (const RecordEntry& entry : append->batch) {
      state.rows.emplace(lsn++, Row{append->epoch, entry});
    }
    state.lsn = lsn - 1;
  } else if (const auto* begin = std::get_if<Begin>(&operation)) {
    state.unfinished.emplace(begin->snapshot.generation, begin->snapshot);
  } else if (const auto* slice = std::get_if<Slice>(&operation)) {
    std::vector<RecordEntry>& slices = state.unfinished.at(slice->generation).slices;
    slices.insert(slices.end(), slice->entries.begin(), slice->entries.end());
  } else if (const auto* finish = std::get_if<Finish>(&operation)) {
    auto node = state.unfinished.extract(finish->generation);
    Snapshot& snapshot = node.mapped();
    const auto end = state.rows.upper_bound(snapshot.start);
    for (auto row = state.rows.begin(); row != end;) {
      const bool covered = row->second.entry.stream == snapshot.stream;
      row = covered ? state.rows.erase(row) : std::next(row);
    }
    state.snapshots[snapshot.stream] = std::move(snapshot);
  }
}

LIBRM_DECL void MemoryJournal::commit() {
  const bool cached_only =
      std::all_of(waiting_.begin(), waiting_.end(), [](const Operation& operation) {
        const auto* append = std::get_if<Append>(&operation);
        return append != nullptr && append->sync == Sync::cached;
      });
  if (!cached_only) {
    synced_.reset();
  } else if (!waiting_.empty() && !synced_) {
    synced_ = committed_;
  }
  for (const Operation& operation : waiting_) perform(committed_, operation);
  waiting_.clear();
  waiting_records_ = 0;
}

LIBRM_DECL void MemoryJournal::sync() {
  if (failed_) return;
  if (failure_) {
    failed_ = std::exchange(failure_, std::nullopt);
    if (on_durable_) on_durable_(tl::unexpected<Error>(*failed_));
    return;
  }
  const Lsn before = committed_.lsn;
  commit();
  if (committed_.lsn > before && on_durable_) on_durable_(committed_.lsn);
}

LIBRM_DECL void MemoryJournal::crash(std::size_t records_lost) {
  std::size_t lost = 0;
  while (!waiting_.empty() && (failed_ || lost < records_lost)) {
    lost += records_of(waiting_.back());
    waiting_.pop_back();
  }
  commit();
  reopen();
}

LIBRM_DECL void MemoryJournal::host_crash() {
  waiting_.clear();
  if (synced_) committed_ = std::move(*synced_);
  synced_.reset();
  reopen();
}

LIBRM_DECL void MemoryJournal::reopen() {
  waiting_records_ = 0;
  committed_.unfinished.clear();
  if (synced_) synced_->unfinished.clear();
  open_snapshots_.clear();
  last_lsn_ = committed_.lsn;
  epoch_ = 0;
  on_durable_ = nullptr;
  failure_.reset();
  failed_.reset();
}

LIBRM_DECL Result<void> MemoryJournal::replay(const OnRecord& on_record) {
  for (const auto& [stream, snapshot] : committed_.snapshots) {
    for (const RecordEntry& entry : snapshot.slices) {
      Result<void> taken = on_record(snapshot.start, entry);
      if (!taken) return taken;
    }
  }
  for (const auto& [lsn, row] : committed_.rows) {
    Result<void> taken = on_record(lsn, row.entry);
    if (!taken) return taken;
  }
  return {};
}

LIBRM_DECL std::size_t MemoryJournal::stored() const {
  std::size_t count = committed_.rows.size();
  for (const auto& [stream, snapshot] : committed_.snapshots) count += snapshot.slices.size();
  return count;
}

}  // namespace librm
