// Reads, appends to, and compacts the ledger's file.
#include "shepherd/ledger.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <string_view>
#include <utility>
#include <variant>

namespace librm::shepherd {
namespace {

constexpr std::size_t read_chunk = 64u << 10;
constexpr int open_flags = O_RDWR | O_APPEND | O_CLOEXEC;

struct Scan {
  LedgerRead::Status status = LedgerRead::Status::record;  ///< of what follows the last record
  std::size_t size = 0;                                    ///< bytes of whole, valid records
};

/// Calls `each` for every record from the file's beginning on, with little memory.
Result<Scan> scan(int fd, const std::string& path,
                  const std::function<void(const LedgerRecord&)>& each) {
  std::string buffer;
  std::size_t used = 0;
  Scan result;
  std::size_t read_at = 0;
  bool at_end = false;
  bool magic_seen = false;
  while (!at_end) {
    buffer.erase(0, used);
    used = 0;
    const std::size_t before = buffer.size();
    buffer.resize(before + read_chunk);
    const ssize_t count =
        ::pread(fd, buffer.data() + before, read_chunk, static_cast<off_t>(read_at));
    if (count < 0 && errno != EINTR) return fail_errno(path);
    const auto got = static_cast<std::size_t>(std::max<ssize_t>(count, 0));
    buffer.resize(before + got);
    read_at += got;
    at_end = count == 0;
    if (!magic_seen) {
      if (buffer.size() < ledger_magic.size()) continue;
      if (buffer.compare(0, ledger_magic.size(), ledger_magic) != 0) {
        return fail(ErrorCode::unsupported, path + ": not a ledger that this version can read");
      }
      magic_seen = true;
      used = result.size = ledger_magic.size();
    }
    for (;;) {
      LedgerRead next = read_record(std::string_view(buffer).substr(used));
      result.status = next.status;
      if (next.status == LedgerRead::Status::corrupt) return result;
      if (next.status == LedgerRead::Status::incomplete) break;
      each(next.record);
      used += next.size;
      result.size += next.size;
    }
  }
  return result;
}

/// Writes all of `bytes`, or reports how many were.
std::size_t write_some(int fd, std::string_view bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t count = ::write(fd, bytes.data() + done, bytes.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    done += static_cast<std::size_t>(count);
  }
  return done;
}

}  // namespace

Result<Ledger> Ledger::open(const LedgerOptions& options, WallTime now) {
  Descriptor file(::open(options.path.c_str(), open_flags | O_CREAT, 0600));
  if (!file) return fail_errno(options.path);
  Ledger ledger(options, std::move(file));
  if (auto loaded = ledger.load(now); !loaded) return tl::unexpected<Error>(loaded.error());
  return ledger;
}

Result<void> Ledger::load(WallTime now) {
  Result<Scan> scanned = scan(file_.get(), options_.path,
                              [this](const LedgerRecord& record) { state_.apply(record); });
  if (!scanned) return tl::unexpected<Error>(scanned.error());
  size_ = scanned->size;
  const bool fresh = state_.boot().boot_id.empty();
  const bool same_boot = state_.boot().boot_id == options_.boot_id;
  // Under another boot a damaged tail is what a crash of the host leaves, and means nothing now.
  if ((fresh || same_boot) && scanned->status == LedgerRead::Status::corrupt) {
    return fail(ErrorCode::corrupt,
                options_.path + ": damaged at byte " + std::to_string(size_) +
                    "; which tasks were started is uncertain, so none will be. When no task of "
                    "this work directory runs, move the file away");
  }
  if (fresh) size_ = 0;  // nothing, or less than the first write
  if (::ftruncate(file_.get(), static_cast<off_t>(size_)) != 0) return fail_errno(options_.path);
  if (same_boot) {
    if (size_ > options_.compact_on_open_bytes) return compact();
    return {};
  }
  if (fresh) pending_ = ledger_magic;
  const std::uint64_t instance = fresh ? options_.instance_if_new : state_.boot().instance;
  append(LedgerBoot{options_.boot_id, instance});
  end_all_as_unknown(now);
  return flush();
}

void Ledger::end_all_as_unknown(WallTime now) {
  std::vector<LedgerEnded> ends;
  for (const auto& [key, task] : state_.tasks()) {
    if (task.phase == TaskPhase::ended) continue;
    LedgerEnded record;
    record.end.key = key;
    if (task.phase == TaskPhase::running) record.end.started = task.started;
    record.end.ended = now;
    ends.push_back(std::move(record));
  }
  for (const LedgerEnded& end : ends) append(end);
}

void Ledger::append(const LedgerRecord& record) {
  append_record(pending_, record);
  state_.apply(record);
}

Result<void> Ledger::flush() {
  if (pending_.empty()) return {};
  const std::size_t written = write_some(file_.get(), pending_);
  const int reason = errno;
  size_ += written;
  if (written == pending_.size()) {
    pending_.clear();
    return {};
  }
  // The rest completes the cut record when there is room again.
  pending_.erase(0, written);
  return fail_errno(options_.path, reason);
}

Result<void> Ledger::compact_if_large() {
  if (size_ < compact_at_) return {};
  // Also after a failure: to try again at once would fail again.
  compact_at_ = size_ + options_.compact_on_run_bytes;
  Result<void> done = compact();
  if (done) compact_at_ = std::max(options_.compact_on_run_bytes, 2 * size_);
  return done;
}

Result<void> Ledger::compact() {
  if (auto flushed = flush(); !flushed) return flushed;
  const std::string path = options_.path + ".new";
  Descriptor file(::open(path.c_str(), open_flags | O_CREAT | O_TRUNC, 0600));
  if (!file) return fail_errno(path);
  std::size_t size = 0;
  bool complete = true;
  std::string bytes(ledger_magic);
  auto write_out = [&](std::size_t at_least) {
    if (bytes.size() < at_least) return;
    const std::size_t written = write_some(file.get(), bytes);
    complete = complete && written == bytes.size();
    size += written;
    bytes.clear();
  };
  for (const LedgerRecord& record : state_.records()) {
    append_record(bytes, record);
    write_out(read_chunk);
  }
  // The state has only hashes of forgotten keys; their names are in the old file, oldest first.
  Result<Scan> scanned = scan(file_.get(), options_.path, [&](const LedgerRecord& record) {
    const auto* forgotten = std::get_if<LedgerForgotten>(&record);
    if (forgotten == nullptr || !state_.is_forgotten(forgotten->key)) return;
    append_record(bytes, record);
    write_out(read_chunk);
  });
  write_out(1);
  if (!scanned || !complete || ::rename(path.c_str(), options_.path.c_str()) != 0) {
    const int reason = errno;
    ::unlink(path.c_str());
    return scanned ? fail_errno(path, reason) : tl::unexpected<Error>(scanned.error());
  }
  file_ = std::move(file);
  size_ = size;
  return {};
}

}  // namespace librm::shepherd
