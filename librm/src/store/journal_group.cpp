// The journal's thread: gathers what waits into one transaction, commits, reports, cleans up.
#include "journal_group.hpp"

#include <pthread.h>

#include <csignal>

namespace librm::store_detail {
namespace {

constexpr std::size_t entry_overhead_bytes = 64;  // what an entry costs beside its payload

std::size_t bytes_of(const std::vector<RecordEntry>& entries) {
  std::size_t bytes = 0;
  for (const RecordEntry& entry : entries) bytes += entry.payload.size() + entry_overhead_bytes;
  return bytes;
}

}  // namespace

std::vector<LogRow> log_rows(const Group& group) {
  std::map<std::pair<std::uint16_t, Epoch>, LogRow> rows;
  Lsn commit_lsn = 0;
  for (const Operation& operation : group) {
    const auto* append = std::get_if<Append>(&operation.what);
    if (append == nullptr) continue;
    if (commit_lsn == 0) commit_lsn = append->first;
    Lsn lsn = append->first;
    for (const RecordEntry& entry : append->batch) {
      LogRow& row = rows[{entry.stream, append->epoch}];
      if (row.first_lsn == 0) row.first_lsn = lsn;
      row.last_lsn = lsn;
      append_entry(row.entries, static_cast<std::uint32_t>(lsn - row.first_lsn), entry);
      ++lsn;
    }
  }
  std::vector<LogRow> result;
  for (auto& [key, row] : rows) {
    row.commit_lsn = commit_lsn;
    row.stream = key.first;
    row.epoch = key.second;
    result.push_back(std::move(row));
  }
  return result;
}

std::string slice_entries(const Slice& slice) {
  std::string entries;
  for (const RecordEntry& entry : slice.entries) append_entry(entries, 0, entry);
  return entries;
}

Lsn last_lsn(const Group& group) {
  Lsn last = 0;
  for (const Operation& operation : group) {
    const auto* append = std::get_if<Append>(&operation.what);
    if (append != nullptr) last = append->first + append->batch.size() - 1;
  }
  return last;
}

std::thread start_thread(const char* name, std::function<void()> body) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread thread(std::move(body));
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_setname_np(thread.native_handle(), name);
  return thread;
}

void GroupCommit::start(Lsn last_lsn, std::uint64_t generation_last) {
  last_lsn_ = last_lsn;
  generation_last_ = generation_last;
  thread_ = start_thread("rm-journal", [this] { run(); });
}

bool GroupCommit::close() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  if (!thread_.joinable()) return false;
  wake_.notify_one();
  thread_.join();
  return true;
}

// --- the owner's side ---

std::size_t GroupCommit::backlog_bytes() const {
  std::lock_guard lock(mutex_);
  return backlog_bytes_;
}

Result<void> GroupCommit::queue_operation(Operation operation) {
  bool was_empty = false;
  {
    std::lock_guard lock(mutex_);
    if (failed_) return tl::unexpected<Error>(*failed_);
    if (stopping_) return fail(ErrorCode::failed_precondition, limits_.name + ": closed");
    if (backlog_bytes_ > 0 && backlog_bytes_ + operation.bytes > limits_.backlog_bytes_max) {
      return fail(ErrorCode::resource_exhausted,
                  limits_.name + ": backlog: need " + std::to_string(operation.bytes) + " bytes, " +
                      std::to_string(backlog_bytes_) + " of " +
                      std::to_string(limits_.backlog_bytes_max) + " wait for the disk");
    }
    was_empty = queue_.empty();
    backlog_bytes_ += operation.bytes;
    queue_.push_back(std::move(operation));
  }
  if (was_empty) wake_.notify_one();
  return {};
}

Result<Lsn> GroupCommit::append(std::vector<RecordEntry> batch, Epoch epoch, Sync sync) {
  if (batch.empty()) return last_lsn_;
  const Lsn last = last_lsn_ + batch.size();
  const std::size_t bytes = bytes_of(batch);
  Result<void> queued =
      queue_operation({Append{last_lsn_ + 1, epoch, sync, std::move(batch)}, bytes});
  if (!queued) return tl::unexpected<Error>(std::move(queued.error()));
  return last_lsn_ = last;
}

Result<std::uint64_t> GroupCommit::begin_snapshot(std::uint16_t stream) {
  const SnapshotRow row{generation_last_ + 1, stream, last_lsn_, false};
  Result<void> queued = queue_operation({Begin{row}, 0});
  if (!queued) return tl::unexpected<Error>(std::move(queued.error()));
  open_snapshots_.emplace(row.generation, OpenSnapshot{row, 0});
  return generation_last_ = row.generation;
}

Result<GroupCommit::OpenSnapshot*> GroupCommit::find_open(std::uint64_t generation) {
  const auto open = open_snapshots_.find(generation);
  if (open != open_snapshots_.end()) return &open->second;
  return fail(ErrorCode::not_found, limits_.name + ": snapshot " + std::to_string(generation) +
                                        ": not begun, or finished");
}

Result<void> GroupCommit::append_slice(std::uint64_t generation, std::vector<RecordEntry> slice) {
  Result<OpenSnapshot*> open = find_open(generation);
  if (!open) return tl::unexpected<Error>(std::move(open.error()));
  const std::size_t bytes = bytes_of(slice);
  Result<void> queued =
      queue_operation({Slice{generation, (*open)->slices + 1, std::move(slice)}, bytes});
  if (queued) ++(*open)->slices;
  return queued;
}

Result<void> GroupCommit::finish_snapshot(std::uint64_t generation) {
  Result<OpenSnapshot*> open = find_open(generation);
  if (!open) return tl::unexpected<Error>(std::move(open.error()));
  SnapshotRow row = (*open)->row;
  row.finished = true;
  Result<void> queued = queue_operation({Finish{row}, 0});
  if (queued) open_snapshots_.erase(generation);
  return queued;
}

// --- the journal's thread ---

void GroupCommit::run() {
  for (;;) {
    Group group;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return !queue_.empty() || stopping_ || sink_.housekeeping_wanted(); });
      group = take_group();
      if (group.empty() && stopping_) return;
    }
    if (group.empty()) {
      sink_.housekeeping();
      continue;
    }
    Result<void> committed = sink_.commit(group);
    std::size_t bytes = 0;
    for (const Operation& operation : group) bytes += operation.bytes;
    const Lsn durable = store_detail::last_lsn(group);
    {
      std::lock_guard lock(mutex_);
      backlog_bytes_ -= bytes;
      if (!committed) {
        failed_ = committed.error();
        queue_.clear();
        backlog_bytes_ = 0;
      }
    }
    if (!committed) {
      if (on_durable_) on_durable_(tl::unexpected<Error>(std::move(committed.error())));
      return;
    }
    ++commits_;
    if (durable != 0 && on_durable_) on_durable_(durable);
    if (sink_.housekeeping_urgent()) sink_.housekeeping();
  }
}

Group GroupCommit::take_group() {
  Group group;
  std::size_t bytes = 0;
  while (!queue_.empty() && (group.empty() || bytes < limits_.group_bytes_max)) {
    bytes += queue_.front().bytes;
    group.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  return group;
}

}  // namespace librm::store_detail
