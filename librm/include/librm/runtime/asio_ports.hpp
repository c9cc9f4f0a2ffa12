// The pieces of a Driver's ports on Asio: turns, deadlines, durability, snapshots.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "librm/base/id.hpp"
#include "librm/base/result.hpp"
#include "librm/base/time.hpp"
#include "librm/store/journal.hpp"
#include "librm/wire/record_entry.hpp"

namespace asio {
class io_context;
}

// All of them run on an external io_context, which must outlive them, and are used and call back
// on its thread. Destroying one ends its callbacks.

namespace librm {

/// Ports::want_turn(): however often it is asked within one turn of the loop, it calls once.
class TurnRequest {
 public:
  TurnRequest(asio::io_context& io, std::function<void()> turn);
  ~TurnRequest();
  TurnRequest(const TurnRequest&) = delete;
  TurnRequest& operator=(const TurnRequest&) = delete;

  void request();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

/// Ports::wake_at(): calls when boot time or wall time has reached the deadline, also where the
/// wall clock steps or the host was suspended meanwhile. It may call earlier than the last wish
/// (a Tick is harmless at any time), never much later.
class DeadlineTimer {
 public:
  DeadlineTimer(asio::io_context& io, std::function<void()> due);
  ~DeadlineTimer();
  DeadlineTimer(const DeadlineTimer&) = delete;
  DeadlineTimer& operator=(const DeadlineTimer&) = delete;

  /// Replaces the earlier wish.
  void wake_at(const Deadline& deadline);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

/// Carries Journal::on_durable from the journal's thread to the loop. Many commits between two
/// turns are one call.
class DurableRelay {
 public:
  /// Sets the journal's callback; before the first append.
  DurableRelay(asio::io_context& io, Journal& journal, std::function<void(Result<Lsn>)> callback);
  ~DurableRelay();
  DurableRelay(const DurableRelay&) = delete;
  DurableRelay& operator=(const DurableRelay&) = delete;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

/// Writes snapshots beside the work, one slice a turn, so that the journal stays short.
class SnapshotWriter {
 public:
  struct Part {
    std::uint16_t stream = 0;
    std::size_t count = 0;  ///< of records
    /// The entries [begin, end) of the state as it was at start().
    std::function<std::vector<RecordEntry>(std::size_t begin, std::size_t end)> encode;
  };

  SnapshotWriter(asio::io_context& io, Journal& journal, std::function<void(Error)> on_failed,
                 std::size_t slice_records = 1'000);
  ~SnapshotWriter();
  SnapshotWriter(const SnapshotWriter&) = delete;
  SnapshotWriter& operator=(const SnapshotWriter&) = delete;

  /// Between two turns of the driver, when all of its records have been appended. Does nothing
  /// while one is being written.
  void start(std::vector<Part> parts);
  bool running() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace librm
