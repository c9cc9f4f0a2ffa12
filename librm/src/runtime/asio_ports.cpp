// Turns, deadlines, durability and snapshots on Asio.
#include "librm/runtime/asio_ports.hpp"

#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <atomic>
#include <chrono>
#include <mutex>
#include <utility>

#include "librm/base/check.hpp"
#include "librm/runtime/clock.hpp"

namespace librm {

// --- TurnRequest ---

struct TurnRequest::State {
  asio::io_context& io;
  std::function<void()> turn;
  bool requested = false;
  bool ended = false;
};

TurnRequest::TurnRequest(asio::io_context& io, std::function<void()> turn)
    : state_(std::make_shared<State>(State{io, std::move(turn)})) {}

TurnRequest::~TurnRequest() { state_->ended = true; }

void TurnRequest::request() {
  if (std::exchange(state_->requested, true)) return;
  asio::post(state_->io, [state = state_] {
    state->requested = false;
    if (!state->ended) state->turn();
  });
}

// --- DeadlineTimer ---

namespace {

/// A kernel timer on one clock. It counts through suspend and follows steps of the wall clock,
/// which Asio's own timers do not.
class ClockTimer : public std::enable_shared_from_this<ClockTimer> {
 public:
  ClockTimer(asio::io_context& io, clockid_t clock, std::function<void()> due)
      : due_(std::move(due)), descriptor_(io) {
    const int timer = ::timerfd_create(clock, TFD_NONBLOCK | TFD_CLOEXEC);
    LIBRM_CHECK(timer >= 0, "a process that cannot have a timer cannot keep a lease");
    descriptor_.assign(timer);
  }

  void arm(std::optional<std::int64_t> at_ns) {
    if (!at_ns) return;  // what is armed may come: an early call is harmless
    // Deadlines mostly move away; the timer is set again only when it has come.
    if (armed_ns_ && *armed_ns_ <= *at_ns) return;
    set(std::max<std::int64_t>(*at_ns, 1));
  }

  void end() {
    asio::error_code ignored;
    descriptor_.close(ignored);
  }

 private:
  void set(std::int64_t at_ns) {
    itimerspec when{};
    when.it_value.tv_sec = at_ns / 1'000'000'000;
    when.it_value.tv_nsec = at_ns % 1'000'000'000;
    const int result =
        ::timerfd_settime(descriptor_.native_handle(), TFD_TIMER_ABSTIME, &when, nullptr);
    LIBRM_CHECK(result == 0, "an absolute time since 1970 can be waited for");
    armed_ns_ = at_ns;
    if (!std::exchange(waiting_, true)) wait();
  }

  void wait() {
    descriptor_.async_wait(asio::posix::stream_descriptor::wait_read,
                           [self = shared_from_this()](const asio::error_code& error) {
                             if (error) return;
                             self->waiting_ = false;
                             self->on_ready();
                           });
  }

  void on_ready() {
    std::uint64_t expirations = 0;
    if (::read(descriptor_.native_handle(), &expirations, sizeof expirations) < 0) {
      waiting_ = true;  // it was set to later after it had become ready
      return wait();
    }
    armed_ns_.reset();
    due_();
  }

  std::function<void()> due_;
  asio::posix::stream_descriptor descriptor_;
  std::optional<std::int64_t> armed_ns_;
  bool waiting_ = false;
};

}  // namespace

struct DeadlineTimer::State {
  State(asio::io_context& io, std::function<void()> on_due)
      : due(std::move(on_due)),
        mono(std::make_shared<ClockTimer>(io, CLOCK_BOOTTIME, [this] { on_clock(); })),
        wall(std::make_shared<ClockTimer>(io, CLOCK_REALTIME, [this] { on_clock(); })) {}

  /// A clock's timer has come; its wish may have moved away since.
  void on_clock() {
    const Now now = read_clocks();
    if ((wish.mono && *wish.mono <= now.mono) || (wish.wall && *wish.wall <= now.wall)) {
      wish = {};
      due();
    } else {
      arm();
    }
  }

  void arm() {
    mono->arm(wish.mono ? std::optional(wish.mono->ns) : std::nullopt);
    wall->arm(wish.wall ? std::optional(wish.wall->ns) : std::nullopt);
  }

  std::function<void()> due;
  Deadline wish;
  std::shared_ptr<ClockTimer> mono;
  std::shared_ptr<ClockTimer> wall;
};

DeadlineTimer::DeadlineTimer(asio::io_context& io, std::function<void()> due)
    : state_(std::make_shared<State>(io, std::move(due))) {}

DeadlineTimer::~DeadlineTimer() {
  state_->mono->end();
  state_->wall->end();
}

void DeadlineTimer::wake_at(const Deadline& deadline) {
  state_->wish = deadline;
  state_->arm();
}

// --- DurableRelay ---

struct DurableRelay::State {
  State(asio::io_context& context, std::function<void(Result<Lsn>)> on_durable)
      : io(context), callback(std::move(on_durable)) {}

  asio::io_context& io;
  std::function<void(Result<Lsn>)> callback;
  bool ended = false;  // of the loop's thread

  std::mutex mutex;  // guards what follows
  Lsn latest = 0;
  std::optional<Error> failure;
  bool posted = false;
};

DurableRelay::DurableRelay(asio::io_context& io, Journal& journal,
                           std::function<void(Result<Lsn>)> callback)
    : state_(std::make_shared<State>(io, std::move(callback))) {
  journal.on_durable([state = state_](Result<Lsn> result) {
    {
      const std::lock_guard lock(state->mutex);
      if (result) {
        state->latest = *result;
      } else {
        state->failure = result.error();
      }
      if (std::exchange(state->posted, true)) return;
    }
    asio::post(state->io, [state] {
      Lsn latest = 0;
      std::optional<Error> failure;
      {
        const std::lock_guard lock(state->mutex);
        state->posted = false;
        latest = state->latest;
        failure = state->failure;
      }
      if (!state->ended && latest > 0) state->callback(latest);
      if (!state->ended && failure) state->callback(tl::unexpected<Error>(*failure));
    });
  });
}

DurableRelay::~DurableRelay() { state_->ended = true; }

// --- SnapshotWriter ---

namespace {
// A full backlog empties at the pace of the disk.
constexpr std::chrono::milliseconds slice_retry_after{50};
}  // namespace

struct SnapshotWriter::State : std::enable_shared_from_this<State> {
  State(asio::io_context& context, Journal& target, std::function<void(Error)> failed,
        std::size_t slice)
      : io(context),
        journal(target),
        on_failed(std::move(failed)),
        slice_records(slice),
        retry(context) {}

  Result<void> begin() {
    for (const Part& part : parts) {
      Result<std::uint64_t> generation = journal.begin_snapshot(part.stream);
      if (!generation) return tl::unexpected<Error>(generation.error());
      generations.push_back(*generation);
    }
    return {};
  }

  /// One slice, or the end of a part.
  Result<void> advance() {
    const Part& part = parts[part_now];
    if (record_now < part.count) {
      const std::size_t end = std::min(record_now + slice_records, part.count);
      Result<void> taken =
          journal.append_slice(generations[part_now], part.encode(record_now, end));
      if (taken) record_now = end;
      return taken;
    }
    Result<void> finished = journal.finish_snapshot(generations[part_now]);
    if (finished) {
      ++part_now;
      record_now = 0;
    }
    return finished;
  }

  void next() {
    if (ended) return;
    if (part_now == parts.size()) return stop();
    Result<void> advanced = advance();
    if (advanced) {
      asio::post(io, [self = shared_from_this()] { self->next(); });
    } else if (advanced.error().code == ErrorCode::resource_exhausted) {
      retry.expires_after(slice_retry_after);
      retry.async_wait([self = shared_from_this()](const asio::error_code& error) {
        if (!error) self->next();
      });
    } else {
      stop();
      on_failed(advanced.error());
    }
  }

  void stop() {
    parts.clear();
    generations.clear();
    part_now = record_now = 0;
  }

  asio::io_context& io;
  Journal& journal;
  std::function<void(Error)> on_failed;
  std::size_t slice_records;
  asio::steady_timer retry;
  std::vector<Part> parts;
  std::vector<std::uint64_t> generations;
  std::size_t part_now = 0;
  std::size_t record_now = 0;
  bool ended = false;
};

SnapshotWriter::SnapshotWriter(asio::io_context& io, Journal& journal,
                               std::function<void(Error)> on_failed, std::size_t slice_records)
    : state_(std::make_shared<State>(io, journal, std::move(on_failed), slice_records)) {}

SnapshotWriter::~SnapshotWriter() {
  state_->ended = true;
  state_->retry.cancel();
}

void SnapshotWriter::start(std::vector<Part> parts) {
  if (running() || parts.empty()) return;
  state_->parts = std::move(parts);
  Result<void> begun = state_->begin();
  if (begun) {
    asio::post(state_->io, [state = state_] { state->next(); });
    return;
  }
  // Nothing of a snapshot that was not finished counts; the next one starts afresh.
  state_->stop();
  if (begun.error().code != ErrorCode::resource_exhausted) state_->on_failed(begun.error());
}

bool SnapshotWriter::running() const { return !state_->parts.empty(); }

}  // namespace librm
