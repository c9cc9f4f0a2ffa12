// How close the journal comes to the disk: commits against raw writes with fdatasync in one run.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "librm/store/sqlite_journal.hpp"

namespace {

using namespace librm;
using Clock = std::chrono::steady_clock;

constexpr std::size_t record_bytes = 300;
constexpr double measure_seconds = 0.25;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// In the directory that TMPDIR names, so that the disk in question can be chosen.
class Directory {
 public:
  Directory() : path_((std::filesystem::temp_directory_path() / "bench-journal-XXXXXX").string()) {
    if (mkdtemp(path_.data()) == nullptr) std::abort();
  }
  ~Directory() { std::filesystem::remove_all(path_); }
  std::string file(const char* name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

/// Writes of `bytes` into a preallocated file, each with its fdatasync: what the disk can do.
double raw_syncs_per_second(const Directory& directory, std::size_t bytes) {
  const std::string path = directory.file("raw");
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  constexpr std::size_t file_bytes = 16u << 20;
  const std::string zeros(1u << 20, '\0');
  for (std::size_t at = 0; at < file_bytes; at += zeros.size()) {
    if (pwrite(fd, zeros.data(), zeros.size(), static_cast<off_t>(at)) < 0) std::abort();
  }
  fsync(fd);
  const std::string data(bytes, 'x');
  std::size_t at = 0;
  std::size_t count = 0;
  const auto start = Clock::now();
  for (; seconds_since(start) < measure_seconds; ++count) {
    if (at + bytes > file_bytes) at = 0;
    if (pwrite(fd, data.data(), bytes, static_cast<off_t>(at)) < 0) std::abort();
    if (fdatasync(fd) != 0) std::abort();
    at += bytes;
  }
  const double rate = static_cast<double>(count) / seconds_since(start);
  close(fd);
  return rate;
}

/// A journal in a directory of its own, and what of it is durable.
class Bench {
 public:
  Bench() {
    Result<std::unique_ptr<SqliteJournal>> opened =
        SqliteJournal::open({directory_.file("journal.db")});
    if (!opened) std::abort();
    journal_ = std::move(*opened);
    journal_->on_durable([this](Result<Lsn> lsn) {
      if (!lsn) std::abort();
      std::lock_guard lock(mutex_);
      durable_ = *lsn;
      changed_.notify_one();
    });
  }
  ~Bench() { journal_.reset(); }

  Lsn append(int records, Sync sync) {
    std::vector<RecordEntry> batch(
        static_cast<std::size_t>(records),
        RecordEntry{batch_stream, 1, 1, std::string(record_bytes, 'x'), 1});
    Result<Lsn> lsn = journal_->append(std::move(batch), sync);
    if (!lsn) std::abort();
    return *lsn;
  }
  void wait_for(Lsn lsn) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return durable_ >= lsn; });
  }
  SqliteJournal& journal() { return *journal_; }
  const Directory& directory() const { return directory_; }

 private:
  Directory directory_;
  std::unique_ptr<SqliteJournal> journal_;
  std::mutex mutex_;
  std::condition_variable changed_;
  Lsn durable_ = 0;
};

/// One batch at a time, waited for: the latency that a single client sees.
void CommitAndWait(benchmark::State& state) {
  Bench bench;
  const int records = static_cast<int>(state.range(0));
  const std::size_t bytes = static_cast<std::size_t>(records) * record_bytes;
  // Before and after, because a shared disk changes its speed within seconds.
  double raw = raw_syncs_per_second(bench.directory(), bytes) / 2;
  const auto start = Clock::now();
  for (auto _ : state) bench.wait_for(bench.append(records, Sync::full));
  const double rate = static_cast<double>(state.iterations()) / seconds_since(start);
  raw += raw_syncs_per_second(bench.directory(), bytes) / 2;
  state.counters["commits/s"] = rate;
  state.counters["raw/s"] = raw;
  state.counters["ratio"] = rate / raw;
  state.counters["records/s"] = rate * records;
}
BENCHMARK(CommitAndWait)->Arg(1)->Arg(16)->Arg(256)->UseRealTime()->Iterations(2000);

/// Batches appended without waiting, at most 1000 under way: what group commit makes of it.
void CommitInGroups(benchmark::State& state) {
  Bench bench;
  const Sync sync = state.range(0) != 0 ? Sync::full : Sync::cached;
  Lsn last = 0;
  const auto start = Clock::now();
  for (auto _ : state) {
    last = bench.append(1, sync);
    if (last > 1000) bench.wait_for(last - 1000);
  }
  bench.wait_for(last);
  const double elapsed = seconds_since(start);
  state.counters["records/s"] = static_cast<double>(last) / elapsed;
  state.counters["commits/s"] = static_cast<double>(bench.journal().commits()) / elapsed;
  state.counters["records/commit"] =
      static_cast<double>(last) / static_cast<double>(bench.journal().commits());
}
BENCHMARK(CommitInGroups)->ArgName("full")->Arg(1)->Arg(0)->UseRealTime()->MinTime(1);

}  // namespace
