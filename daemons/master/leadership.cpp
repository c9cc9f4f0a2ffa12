// Election by ZooKeeper, fence and journal by PostgreSQL, one after the other.
#include "master/leadership.hpp"

#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <cstdint>
#include <utility>

#include "common/log.hpp"
#include "librm/runtime/clock.hpp"
#include "librm/runtime/zookeeper_elector.hpp"

namespace librm::daemon {

struct Leadership::Impl : std::enable_shared_from_this<Leadership::Impl> {
  Impl(asio::io_context& context, LeadershipOptions o, Callbacks c)
      : io(context), options(std::move(o)), callbacks(std::move(c)) {}

  Result<void> start() {
    std::optional<ZookeeperUrl> url;
    if (!options.zk.empty()) {
      Result<ZookeeperUrl> read = read_zookeeper_url(options.zk);
      if (!read) return tl::unexpected<Error>(read.error());
      url = std::move(*read);
    }
    PostgresJournalOptions opening;
    opening.url = options.state;
    opening.cluster = options.cluster;
    opening.self = options.self.http;
    Result<std::unique_ptr<PostgresJournal>> opened = PostgresJournal::open(std::move(opening));
    if (!opened) return tl::unexpected<Error>(opened.error());
    journal = std::move(*opened);
    if (Result<void> read = read_all(); !read) return read;
    if (!url) return take_lead();
    follow();
    elect(std::move(*url));
    return {};
  }

  void stop() {
    stopped = true;
    if (elector) elector->stop();
    if (journal) journal->stop_following();
  }

  bool leading() const { return led && !stopped && (!elector || elector->leading()); }

  std::optional<Member> leader() const {
    if (!elector) return led ? std::optional(options.self) : std::nullopt;
    const Member* first = elector->election().leader();
    return first == nullptr ? std::nullopt : std::optional(*first);
  }

  // --- following ---

  Result<void> apply(Lsn lsn, const RecordEntry& entry) {
    applied = std::max(applied, lsn);
    return callbacks.apply(lsn, entry);
  }

  Result<void> read_all() {
    applied = 0;
    Result<void> replayed =
        journal->replay([this](Lsn lsn, const RecordEntry& entry) { return apply(lsn, entry); });
    if (replayed) applied = journal->last_lsn();
    return replayed;
  }

  void follow() {
    const std::uint64_t turn = ++following;
    // On a thread of the journal's: everything else happens on the loop's.
    journal->follow(applied,
                    [weak = weak_from_this(), turn, &context = io](Result<JournalTail> tail) {
                      asio::post(context, [weak, turn, tail = std::move(tail)]() mutable {
                        const auto self = weak.lock();
                        if (self && !self->stopped && turn == self->following)
                          self->on_tail(std::move(tail));
                      });
                    });
  }

  void on_tail(Result<JournalTail> tail) {
    if (!tail && tail.error().code == ErrorCode::unavailable) {
      log(LogLevel::warn, "cannot read the leader's journal", {{"error", tail.error().message}});
      return;
    }
    if (!tail && tail.error().code == ErrorCode::stale) {
      // A snapshot has replaced what was to be read next.
      callbacks.reset();
      if (Result<void> read = read_all(); !read) return over(read.error().message);
      return follow();
    }
    if (!tail) return over(tail.error().message);
    for (const JournalTail::Record& record : tail->records) {
      if (record.lsn <= applied) continue;
      if (Result<void> done = apply(record.lsn, record.entry); !done) {
        return over(done.error().message);
      }
    }
  }

  // --- leading ---

  void elect(ZookeeperUrl url) {
    ZookeeperElectorOptions electing;
    electing.url = std::move(url);
    electing.self = options.self;
    electing.session_timeout = options.zk_session;
    ElectorCallbacks told;
    told.on_elected = [this] {
      log(LogLevel::info, "elected", {{"id", options.self.id}});
      if (Result<void> taken = take_lead(); !taken) over(taken.error().message);
    };
    told.on_deposed = [this](const std::string& reason) { over(reason); };
    told.on_change = [this](const Election& election) {
      const Member* first = election.leader();
      log(LogLevel::info, "masters",
          {{"count", std::to_string(election.members.size())},
           {"leader", first == nullptr ? "none" : first->http},
           {"connected", election.connected ? "yes" : "no"}});
    };
    told.on_error = [](const Error& error) {
      log(LogLevel::error, "election", {{"error", error.message}});
    };
    told.on_log = [](const std::string& line) {
      log(LogLevel::debug, "zookeeper", {{"line", line}});
    };
    elector = std::make_unique<ZookeeperElector>(io, std::move(electing), std::move(told));
    elector->start();
  }

  /// The database waits out what an earlier leader is committing; what it committed is read then.
  Result<void> take_lead() {
    ++following;
    journal->stop_following();
    Result<Epoch> epoch = journal->lead();
    if (!epoch) return tl::unexpected<Error>(epoch.error());
    Result<Lsn> rest = journal->tail(
        applied, [this](Lsn lsn, const RecordEntry& entry) { return apply(lsn, entry); });
    if (!rest && rest.error().code == ErrorCode::stale) {
      callbacks.reset();
      if (Result<void> read = read_all(); !read) return read;
    } else if (!rest) {
      return tl::unexpected<Error>(rest.error());
    }
    const WallTime asked = read_clocks().wall;
    Result<WallTime> clock = journal->clock();
    if (!clock) return tl::unexpected<Error>(clock.error());
    const WallTime answered = read_clocks().wall;
    const Duration ahead = asked + (answered - asked) / 2 - *clock;
    if (elector && !elector->leading()) {
      return fail(ErrorCode::unavailable, "the lease was over before the journal was read");
    }
    led = true;
    callbacks.lead(*epoch, ahead);
    return {};
  }

  void over(const std::string& reason) {
    if (std::exchange(stopped, true)) return;
    // Not from within a callback of the elector's, which the owner may destroy.
    asio::post(io, [self = shared_from_this(), reason] {
      if (self->elector) self->elector->stop();
      self->callbacks.over(reason);
    });
  }

  asio::io_context& io;
  LeadershipOptions options;
  Callbacks callbacks;
  std::unique_ptr<PostgresJournal> journal;
  std::unique_ptr<ZookeeperElector> elector;
  Lsn applied = 0;
  std::uint64_t following = 0;  ///< news of an earlier follow() are void
  bool led = false;
  bool stopped = false;
};

Leadership::Leadership(asio::io_context& io, LeadershipOptions options, Callbacks callbacks)
    : impl_(std::make_shared<Impl>(io, std::move(options), std::move(callbacks))) {}
Leadership::~Leadership() { impl_->stop(); }
Result<void> Leadership::start() { return impl_->start(); }
void Leadership::stop() { impl_->stop(); }
bool Leadership::leading() const { return impl_->leading(); }
std::optional<Member> Leadership::leader() const { return impl_->leader(); }
PostgresJournal& Leadership::journal() { return *impl_->journal; }

}  // namespace librm::daemon
