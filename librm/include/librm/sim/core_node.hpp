// Runs any production core, unchanged, behind the production Driver in a simulated process.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "librm/base/result.hpp"
#include "librm/cluster/core.hpp"
#include "librm/runtime/driver.hpp"
#include "librm/sim/disk.hpp"
#include "librm/sim/host.hpp"
#include "librm/sim/node.hpp"
#include "librm/sim/world.hpp"

namespace librm::sim {

/// `Codec` has `static RecordEntry encode(const Record&, Dialect)`, `static Result<Record>
/// decode(const RecordEntry&)` and `static Sync sync(const Record&)`. A derived node makes the core
/// and performs its outputs; this class is the Ports of the Driver.
template <class Core, class Codec>
class CoreNode : public Node {
 public:
  using Event = typename Core::Event;
  using Record = typename Core::Record;
  using Output = typename Core::Output;

  CoreNode(World& world, Host& host, std::string name, Disk& disk)
      : Node(world, host, std::move(name)), disk_(disk) {}

  /// Precondition for both: running().
  const Core& core() const { return *process_->core; }
  const Driver<Core, CoreNode>& driver() const { return process_->driver; }

  void post(Event event) {
    if (running()) process_->driver.post(std::move(event));
  }

  /// This process, not a newer one, writes the journal.
  bool owns_disk() const { return running() && disk_.owned_by(owner_); }
  Disk& disk() const { return disk_; }
  std::uint64_t turns() const { return turns_; }
  /// Its journal did, and it is about to end: what it was to say is not said any more.
  bool failed() const { return failed_; }

  /// What its journal says, replayed into a fresh core, is what the running core believes; the
  /// difference otherwise. Precondition: owns_disk().
  std::optional<std::string> check_replay() const {
    std::unique_ptr<Core> fresh = make_core();
    replay(*fresh, true);
    const std::vector<Record> expected = process_->core->snapshot();
    const std::vector<Record> found = fresh->snapshot();
    if (found == expected) return std::nullopt;
    std::size_t at = 0;
    while (at < found.size() && at < expected.size() && found[at] == expected[at]) ++at;
    return name() +
           ": its journal replays to another state than it has: " + std::to_string(found.size()) +
           " against " + std::to_string(expected.size()) +
           " records, the first difference is record " + std::to_string(at) + ": " +
           text_of(found, at) + " replayed, " + text_of(expected, at) + " believed";
  }

  /// Replaces the journal by a snapshot, as a daemon does now and then.
  void compact() {
    if (!owns_disk()) return;
    std::vector<RecordEntry> entries;
    for (const Record& record : process_->core->snapshot())
      entries.push_back(Codec::encode(record, journal_dialect()));
    disk_.write_snapshot(owner_, std::move(entries));
  }

  void on_clock_step() override {
    if (running()) arm();
  }

  /// A journal of the first version would lack what today's core knows of itself.
  Dialect journal_dialect() const {
    return dialect() == Dialect::next ? Dialect::next : Dialect::current;
  }

  // --- Ports ---

  Now now() { return host().now(); }

  Result<Lsn> append(std::vector<Record> batch) {
    Sync sync = Sync::cached;
    std::vector<RecordEntry> entries;
    for (const Record& record : batch) {
      if (Codec::sync(record) == Sync::full) sync = Sync::full;
      entries.push_back(Codec::encode(record, journal_dialect()));
    }
    return disk_.append(owner_, std::move(entries), sync);
  }

  virtual void perform(Output output) = 0;

  void wake_at(Deadline deadline) {
    deadline_ = deadline;
    arm();
  }

  void want_turn() {
    const Duration most = world().rarely("slow turn") ? seconds(2) : milliseconds(20);
    on_loop(world().draw_skewed(microseconds(5), most), [this] { turn(); });
  }

  void fail(Error error) {
    failed_ = true;
    trace("journal fails: " + error.message);
    after(Duration{}, [this] { crash(); });
  }

 protected:
  virtual std::unique_ptr<Core> make_core() const = 0;

 private:
  /// Its number, and what can be read of its bytes.
  static std::string text_of(const std::vector<Record>& records, std::size_t at) {
    if (at >= records.size()) return "none";
    const RecordEntry entry = Codec::encode(records[at], Dialect::current);
    std::string text = "number " + std::to_string(entry.number) + " '";
    for (const char c : entry.payload) {
      const bool printable = c >= ' ' && c <= '~';
      if (printable || !text.ends_with('.')) text += printable ? c : '.';
    }
    return text + "'";
  }

 protected:
  void on_start() override {
    failed_ = false;
    owner_ = disk_.open([this, born = life()](Result<Lsn> durable) {
      if (running() && life() == born) on_loop(Duration{}, [this, durable] { settle(durable); });
    });
    process_ = std::make_unique<Process>(make_core(), *this);
    replay(*process_->core, false);
    process_->driver.resume(disk_.last_lsn());
    if (world().rarely("snapshot at the start")) compact();
    world().changed(*this);
  }

  void on_crash() override {
    disk_.process_crash(owner_);
    process_.reset();
    wake_ = {};
  }

 private:
  struct Process {
    Process(std::unique_ptr<Core> fresh, CoreNode& ports)
        : core(std::move(fresh)), driver(*core, ports) {}
    std::unique_ptr<Core> core;
    Driver<Core, CoreNode> driver;
  };

  void replay(Core& core, bool with_waiting) const {
    for (const RecordEntry& entry : disk_.contents(with_waiting)) {
      Result<Record> record = Codec::decode(entry);
      if (record) {
        core.apply(*record);
      } else {
        world().violation(name() + ": cannot read its own record: " + record.error().message);
      }
    }
  }

  void settle(const Result<Lsn>& durable) {
    if (!durable) return fail(durable.error());
    process_->driver.on_durable(*durable);
    world().changed(*this);
  }

  void turn() {
    ++turns_;
    process_->driver.turn();
    world().changed(*this);
  }

  /// One event in the queue stands for the earliest wish; a later wish replaces it.
  void arm() {
    std::optional<Instant> when;
    if (deadline_.mono) when = host().world_time(*deadline_.mono);
    if (deadline_.wall) {
      const Instant at = host().world_time(*deadline_.wall);
      if (!when || at < *when) when = at;
    }
    if (when && *when <= world().now()) when = world().now() + microseconds(20);
    if (when == wake_) return;
    wake_ = when;
    if (!when) return;
    Duration delay = *when - world().now();
    if (world().rarely("late timer")) delay = delay + world().draw(milliseconds(1), seconds(1));
    after(delay, [this, when] {
      if (wake_ != when) return;
      wake_.reset();
      post(Event(std::in_place_type<Tick>));
    });
  }

  Disk& disk_;
  std::uint64_t owner_ = 0;
  std::unique_ptr<Process> process_;
  Deadline deadline_;
  std::optional<Instant> wake_;
  std::uint64_t turns_ = 0;
  bool failed_ = false;
};

}  // namespace librm::sim
