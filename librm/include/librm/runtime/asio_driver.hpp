// A core at work on an Asio loop: Driver, clocks, journal and snapshots in one object.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "librm/base/id.hpp"
#include "librm/base/result.hpp"
#include "librm/base/time.hpp"
#include "librm/cluster/core.hpp"
#include "librm/runtime/asio_ports.hpp"
#include "librm/runtime/clock.hpp"
#include "librm/runtime/driver.hpp"
#include "librm/store/journal.hpp"
#include "librm/wire/record_entry.hpp"

namespace librm {

/// What an AsioDriver asks of its owner. All are called on the loop's thread.
template <class Core>
struct AsioDriverHooks {
  std::function<RecordEntry(const typename Core::Record&)> encode;
  std::function<std::uint16_t(const typename Core::Record&)> stream_of;
  std::function<Sync(const typename Core::Record&)> sync_of;  ///< empty: always Sync::full
  std::function<void(typename Core::Output)> perform;
  /// The journal failed: what the core believes is not on the disk, so the process must end.
  std::function<void(Error)> failed;
  std::function<void()> before_append;  ///< may be empty
  std::function<void(Lsn)> on_durable;  ///< after the outputs that waited; may be empty
  std::function<void()> after_turn;     ///< the core's views may have changed; may be empty
  /// Added to this host's wall clock, so that several hosts go by one.
  Duration wall_offset{};
};

/// Core and journal belong to the owner, outlive this, and are used on the io_context's thread.
/// Destroying it ends its callbacks; not from within one of them.
template <class Core>
class AsioDriver {
 public:
  using Event = typename Core::Event;
  using Record = typename Core::Record;
  using Output = typename Core::Output;

  /// A snapshot is written each time this many records have been appended.
  AsioDriver(asio::io_context& io, Core& core, Journal& journal, AsioDriverHooks<Core> hooks,
             std::size_t snapshot_every = 50'000)
      : core_(core),
        hooks_(std::move(hooks)),
        snapshot_every_(snapshot_every),
        ports_{*this, journal},
        driver_(core, ports_),
        turn_(io, [this] { turn(); }),
        timer_(io, [this] { driver_.post(Event(std::in_place_type<Tick>)); }),
        relay_(io, journal, [this](Result<Lsn> lsn) { on_durable(std::move(lsn)); }),
        snapshots_(io, journal, [this](Error error) { hooks_.failed(std::move(error)); }),
        journal_(journal) {}

  /// After the owner has replayed the journal into the core.
  void resume() { driver_.resume(journal_.last_lsn()); }

  void post(Event event) { driver_.post(std::move(event)); }

  Lsn appended() const { return driver_.appended(); }
  Lsn durable() const { return driver_.durable(); }
  /// Nothing is queued, and everything that was decided has left.
  bool settled() const { return driver_.idle() && driver_.durable() == driver_.appended(); }

 private:
  struct Ports {
    Now now() {
      Now now = read_clocks();
      now.wall = now.wall + owner.hooks_.wall_offset;
      return now;
    }
    Result<Lsn> append(std::vector<Record> batch) { return owner.append(std::move(batch)); }
    void perform(Output output) { owner.hooks_.perform(std::move(output)); }
    void wake_at(Deadline deadline) {
      if (deadline.wall) deadline.wall = *deadline.wall - owner.hooks_.wall_offset;
      owner.timer_.wake_at(deadline);
    }
    void want_turn() { owner.turn_.request(); }
    void fail(Error error) { owner.hooks_.failed(std::move(error)); }

    AsioDriver& owner;
    Journal& journal;
  };

  Result<Lsn> append(std::vector<Record> batch) {
    if (hooks_.before_append) hooks_.before_append();
    std::vector<RecordEntry> entries;
    entries.reserve(batch.size());
    Sync sync = hooks_.sync_of ? Sync::cached : Sync::full;
    for (const Record& record : batch) {
      entries.push_back(hooks_.encode(record));
      if (sync == Sync::cached) sync = hooks_.sync_of(record);
    }
    appended_since_snapshot_ += entries.size();
    return journal_.append(std::move(entries), sync);
  }

  void turn() {
    driver_.turn();
    if (appended_since_snapshot_ >= snapshot_every_ && !snapshots_.running()) take_snapshot();
    if (hooks_.after_turn) hooks_.after_turn();
  }

  void on_durable(Result<Lsn> lsn) {
    if (!lsn) return hooks_.failed(lsn.error());
    driver_.on_durable(*lsn);
    if (hooks_.on_durable) hooks_.on_durable(*lsn);
  }

  void take_snapshot() {
    appended_since_snapshot_ = 0;
    std::map<std::uint16_t, std::shared_ptr<std::vector<Record>>> streams;
    for (Record& record : core_.snapshot()) {
      std::shared_ptr<std::vector<Record>>& records = streams[hooks_.stream_of(record)];
      if (!records) records = std::make_shared<std::vector<Record>>();
      records->push_back(std::move(record));
    }
    std::vector<SnapshotWriter::Part> parts;
    for (const auto& [stream, records] : streams) {
      parts.push_back(
          {stream, records->size(), [this, records = records](std::size_t begin, std::size_t end) {
             std::vector<RecordEntry> slice;
             for (; begin < end; ++begin) slice.push_back(hooks_.encode((*records)[begin]));
             return slice;
           }});
    }
    snapshots_.start(std::move(parts));
  }

  Core& core_;
  AsioDriverHooks<Core> hooks_;
  std::size_t snapshot_every_;
  std::size_t appended_since_snapshot_ = 0;
  Ports ports_;
  Driver<Core, Ports> driver_;
  TurnRequest turn_;
  DeadlineTimer timer_;
  DurableRelay relay_;
  SnapshotWriter snapshots_;
  Journal& journal_;
};

}  // namespace librm
