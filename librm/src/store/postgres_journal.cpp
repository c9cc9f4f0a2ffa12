// The journal on PostgreSQL: opening, taking the lead, and following who has it.
#include "librm/store/postgres_journal.hpp"

#include <sys/random.h>

#include <algorithm>
#include <condition_variable>
#include <limits>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "journal_group.hpp"
#include "postgres_rows.hpp"
#include "postgres_writer.hpp"

namespace librm {
namespace {

using store_detail::ClusterState;
using store_detail::PgConnection;
using store_detail::PgQuery;
using store_detail::PgRows;
using store_detail::Snapshots;
using store_detail::SteadyTime;

constexpr std::size_t cluster_bytes_max = 255;
constexpr std::size_t self_bytes_max = 1024;
constexpr std::size_t tail_bytes_max = 4u << 20;      // in one call of on_tail
constexpr std::size_t value_bytes_max = 1000u << 20;  // PostgreSQL's own limit is 1 GB
constexpr std::chrono::milliseconds follow_pause_max{1000};

std::string random_token() {
  unsigned char bytes[16] = {};
  (void)!getrandom(bytes, sizeof bytes, 0);
  std::string text;
  for (unsigned char byte : bytes) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

Result<void> check(const PostgresJournalOptions& options) {
  const auto bad = [](std::string_view text, std::size_t max) {
    return text.size() > max || text.find('\0') != std::string_view::npos;
  };
  if (options.cluster.empty() || bad(options.cluster, cluster_bytes_max)) {
    return fail(ErrorCode::invalid_argument, "journal: a cluster's name has 1 to 255 bytes");
  }
  if (bad(options.self, self_bytes_max)) {
    return fail(ErrorCode::invalid_argument, "journal: a master's URL has at most 1024 bytes");
  }
  if (options.outage_max.ns <= 0 || options.poll_interval.ns <= 0) {
    return fail(ErrorCode::invalid_argument, "journal: times are positive");
  }
  return {};
}

}  // namespace

struct PostgresJournal::Impl {
  Impl(PostgresJournalOptions chosen, std::string label)
      : options(std::move(chosen)),
        name("journal " + label + " cluster " + options.cluster),
        writer(options, name),
        committer(writer, {name, options.backlog_bytes_max, options.group_bytes_max}) {}
  ~Impl() { close(); }

  // Owner's thread only, but what is const.
  const PostgresJournalOptions options;
  const std::string name;
  std::optional<PgConnection> control;
  bool closed = false;
  Lsn seen_lsn = 0;
  Epoch epoch = 0;
  Epoch epoch_wanted = 0;
  std::thread follower;

  // Under the mutex: how the follower is told to end.
  std::mutex mutex;
  std::condition_variable wake;
  bool follow_ends = false;

  store_detail::PostgresWriter writer;
  store_detail::GroupCommit committer;

  SteadyTime deadline() const { return store_detail::after(options.outage_max); }
  Result<void> connect(std::optional<PgConnection>& connection) const;
  /// Runs the body on the owner's connection; once more where that had been lost before.
  template <class T, class Body>
  Result<T> with_control(const Body& body);

  Result<void> open();
  Result<Epoch> take_epoch(Epoch at_least);
  Result<void> take_over(Epoch taken);
  void follow(Lsn from, const OnTail& on_tail);
  Result<void> follow_once(std::optional<PgConnection>& connection, Lsn& from,
                           std::optional<JournalLeader>& known, const OnTail& on_tail) const;
  void stop_following();
  Result<void> check_size(const std::vector<RecordEntry>& entries) const;
  void close();
};

// --- opening and closing ---

Result<void> PostgresJournal::Impl::connect(std::optional<PgConnection>& connection) const {
  if (connection && !connection->lost()) return {};
  connection.reset();
  Result<PgConnection> opened = PgConnection::open(options.url, name, options.outage_max);
  if (!opened) return tl::unexpected<Error>(std::move(opened.error()));
  connection = std::move(*opened);
  return {};
}

template <class T, class Body>
Result<T> PostgresJournal::Impl::with_control(const Body& body) {
  if (closed) return fail(ErrorCode::failed_precondition, name + ": closed");
  const bool kept = control.has_value() && !control->lost();
  Result<void> connected = connect(control);
  if (!connected) return tl::unexpected<Error>(std::move(connected.error()));
  Result<T> result = body(*control);
  // A connection that was idle may have ended long ago, unnoticed.
  if (!result && kept && result.error().code == ErrorCode::unavailable) {
    connected = connect(control);
    if (connected) result = body(*control);
  }
  return result;
}

Result<void> PostgresJournal::Impl::open() {
  Result<ClusterState> state =
      with_control<ClusterState>([&](PgConnection& connection) -> Result<ClusterState> {
        Result<void> prepared =
            store_detail::prepare_postgres(connection, options.cluster, deadline());
        if (!prepared) return tl::unexpected<Error>(std::move(prepared.error()));
        return store_detail::read_cluster(connection, options.cluster, deadline());
      });
  if (!state) return tl::unexpected<Error>(std::move(state.error()));
  seen_lsn = state->last_lsn;
  return {};
}

Result<std::unique_ptr<PostgresJournal>> PostgresJournal::open(PostgresJournalOptions options) {
  Result<void> checked = check(options);
  if (!checked) return tl::unexpected<Error>(std::move(checked.error()));
  options.batch_bytes_max = std::min(options.batch_bytes_max, value_bytes_max);
  Result<std::string> label = PgConnection::label(options.url);
  if (!label) return tl::unexpected<Error>(std::move(label.error()));
  auto impl = std::make_unique<Impl>(std::move(options), *label);
  Result<void> opened = impl->open();
  if (!opened) return tl::unexpected<Error>(std::move(opened.error()));
  return std::unique_ptr<PostgresJournal>(new PostgresJournal(std::move(impl)));
}

PostgresJournal::PostgresJournal(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PostgresJournal::~PostgresJournal() = default;

void PostgresJournal::Impl::close() {
  if (closed) return;
  closed = true;
  stop_following();
  committer.close();
  writer.disconnect();
  control.reset();
}

void PostgresJournal::close() { impl_->close(); }

// --- reading ---

Result<JournalLeader> PostgresJournal::leader() {
  return impl_->with_control<JournalLeader>([&](PgConnection& connection) -> Result<JournalLeader> {
    Result<ClusterState> state =
        store_detail::read_cluster(connection, impl_->options.cluster, impl_->deadline());
    if (!state) return tl::unexpected<Error>(std::move(state.error()));
    return state->leader;
  });
}

Result<WallTime> PostgresJournal::clock() {
  return impl_->with_control<WallTime>([&](PgConnection& connection) -> Result<WallTime> {
    Result<PgRows> rows =
        connection.run(PgQuery("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"),
                       impl_->deadline());
    if (!rows) return tl::unexpected<Error>(std::move(rows.error()));
    return WallTime{rows->integer(0, 0) * 1000};
  });
}

Result<void> PostgresJournal::replay(const OnRecord& on_record) {
  if (impl_->closed) return fail(ErrorCode::failed_precondition, impl_->name + ": closed");
  // What was given out cannot be given out again, so nothing is tried twice.
  std::optional<PgConnection> reader;
  Result<void> connected = impl_->connect(reader);
  if (!connected) return connected;
  Result<ClusterState> state =
      store_detail::replay(*reader, impl_->options.cluster, impl_->options.outage_max, on_record);
  if (!state) return tl::unexpected<Error>(std::move(state.error()));
  impl_->seen_lsn = std::max(impl_->seen_lsn, state->last_lsn);
  return {};
}

Result<Lsn> PostgresJournal::tail(Lsn from, const OnRecord& on_record) {
  if (impl_->closed) return fail(ErrorCode::failed_precondition, impl_->name + ": closed");
  std::optional<PgConnection> reader;
  Result<void> connected = impl_->connect(reader);
  if (!connected) return tl::unexpected<Error>(std::move(connected.error()));
  Result<ClusterState> state = store_detail::tail(*reader, impl_->options.cluster, from,
                                                  impl_->options.outage_max, on_record);
  if (!state) return tl::unexpected<Error>(std::move(state.error()));
  impl_->seen_lsn = std::max(impl_->seen_lsn, state->last_lsn);
  return state->last_lsn;
}

// --- following ---

void PostgresJournal::follow(Lsn from, OnTail on_tail) {
  impl_->stop_following();
  if (impl_->closed || impl_->epoch != 0) return;
  impl_->follow_ends = false;
  impl_->follower = store_detail::start_thread(
      "rm-follow",
      [impl = impl_.get(), from, callback = std::move(on_tail)] { impl->follow(from, callback); });
}

void PostgresJournal::stop_following() { impl_->stop_following(); }

void PostgresJournal::Impl::stop_following() {
  if (!follower.joinable()) return;
  {
    std::lock_guard lock(mutex);
    follow_ends = true;
  }
  wake.notify_one();
  follower.join();
}

void PostgresJournal::Impl::follow(Lsn from, const OnTail& on_tail) {
  const std::chrono::nanoseconds interval(options.poll_interval.ns);
  std::optional<PgConnection> connection;
  std::optional<JournalLeader> known;
  std::chrono::nanoseconds pause = interval;
  bool out = false;
  for (;;) {
    Result<void> done = connect(connection);
    if (done) done = follow_once(connection, from, known, on_tail);
    if (done) {
      pause = interval;
      out = false;
    } else {
      const bool passes =
          done.error().code == ErrorCode::unavailable ||
          (connection && connection->lost() && done.error().code == ErrorCode::io_error);
      if (!passes || !out) on_tail(tl::unexpected<Error>(done.error()));
      if (!passes) return;
      out = true;
      known.reset();  // whoever comes out of an outage hears who leads
      pause = std::min<std::chrono::nanoseconds>(
          pause * 2, std::max<std::chrono::nanoseconds>(interval, follow_pause_max));
    }
    std::unique_lock lock(mutex);
    if (wake.wait_for(lock, pause, [this] { return follow_ends; })) return;
  }
}

Result<void> PostgresJournal::Impl::follow_once(std::optional<PgConnection>& connection, Lsn& from,
                                                std::optional<JournalLeader>& known,
                                                const OnTail& on_tail) const {
  Result<ClusterState> state = store_detail::read_cluster(*connection, options.cluster, deadline());
  if (!state) return tl::unexpected<Error>(std::move(state.error()));
  JournalTail news;
  news.leader = state->leader;
  if (state->last_lsn != from) {
    std::size_t bytes = 0;
    const auto give = [&] {
      news.last_lsn = news.records.back().lsn;
      from = news.last_lsn;
      known = news.leader;
      on_tail(std::exchange(news, JournalTail{{}, 0, state->leader}));
      bytes = 0;
    };
    state = store_detail::tail(*connection, options.cluster, from, options.outage_max,
                               [&](Lsn lsn, const RecordEntry& entry) -> Result<void> {
                                 news.records.push_back({lsn, entry});
                                 bytes += entry.payload.size() + sizeof(JournalTail::Record);
                                 if (bytes >= tail_bytes_max) give();
                                 return {};
                               });
    // What has come before a failure is right: it was given out in order.
    if (!news.records.empty()) give();
    if (!state) return tl::unexpected<Error>(std::move(state.error()));
  }
  if (known == news.leader) return {};
  known = news.leader;
  news.last_lsn = from;
  on_tail(std::move(news));
  return {};
}

// --- leading ---

Result<Epoch> PostgresJournal::lead(Epoch at_least) {
  if (impl_->closed) return fail(ErrorCode::failed_precondition, impl_->name + ": closed");
  if (impl_->epoch != 0) {
    return fail(ErrorCode::failed_precondition,
                impl_->name + ": leads already, with epoch " + std::to_string(impl_->epoch));
  }
  impl_->stop_following();
  Result<Epoch> taken = impl_->take_epoch(at_least);
  if (!taken) return taken;
  Result<void> over = impl_->take_over(*taken);
  if (!over) return tl::unexpected<Error>(std::move(over.error()));
  return *taken;
}

Result<Epoch> PostgresJournal::Impl::take_epoch(Epoch at_least) {
  Result<JournalLeader> before =
      with_control<JournalLeader>([&](PgConnection& connection) -> Result<JournalLeader> {
        Result<ClusterState> state =
            store_detail::read_cluster(connection, options.cluster, deadline());
        if (!state) return tl::unexpected<Error>(std::move(state.error()));
        return state->leader;
      });
  if (!before) return tl::unexpected<Error>(std::move(before.error()));
  if (before->epoch == std::numeric_limits<Epoch>::max()) {
    return fail(ErrorCode::resource_exhausted,
                name + ": there is no epoch after " + std::to_string(before->epoch));
  }
  const Epoch wanted = std::max(before->epoch + 1, at_least);
  const std::string token = random_token();
  // Whole by itself, so that a master that stops here holds no lock. It waits for every
  // transaction that holds the row FOR SHARE.
  PgQuery query(
      "UPDATE librm_cluster SET epoch=$3, leader=$4, token=$5, since=now()"
      " WHERE cluster=$1 AND epoch=$2");
  query.with(options.cluster).with(before->epoch).with(wanted).with(options.self).with(token);
  Result<PgRows> updated = control->run(query, deadline() + std::chrono::seconds(1));
  if (updated && updated->changed() == 1) return wanted;
  if (!updated && !control->lost()) {
    return fail(updated.error().code,
                updated.error().message + " (to take epoch " + std::to_string(wanted) + ")");
  }
  // Another was faster, or the answer was lost: the row tells.
  PgQuery look("SELECT epoch, token, leader FROM librm_cluster WHERE cluster=$1");
  look.with(options.cluster);
  Result<PgRows> rows = with_control<PgRows>(
      [&](PgConnection& connection) { return connection.run(look, deadline()); });
  if (!rows) return tl::unexpected<Error>(std::move(rows.error()));
  const bool present = rows->count() == 1;
  if (present && rows->bytes(0, 1) == token) return wanted;
  if (present && rows->integer(0, 0) == std::int64_t{before->epoch}) {
    return fail(ErrorCode::unavailable, updated ? name + ": lost" : updated.error().message);
  }
  return fail(ErrorCode::stale, name + ": epoch " + std::to_string(wanted) + " was taken by " +
                                    (present ? std::string(rows->bytes(0, 2)) : "nobody"));
}

Result<void> PostgresJournal::Impl::take_over(Epoch taken) {
  std::optional<PgConnection> connection;
  Result<void> connected = connect(connection);
  if (!connected) return connected;
  std::vector<PgQuery> queries;
  queries.emplace_back("SELECT librm_fence($1, $2)").with(options.cluster).with(taken);
  queries
      .emplace_back(
          "DELETE FROM librm_slice WHERE cluster=$1 AND generation IN"
          " (SELECT generation FROM librm_snapshot WHERE cluster=$1 AND NOT finished)")
      .with(options.cluster);
  queries.emplace_back("SELECT coalesce(max(generation), 0) FROM librm_snapshot WHERE cluster=$1")
      .with(options.cluster);
  queries.emplace_back("DELETE FROM librm_snapshot WHERE cluster=$1 AND NOT finished")
      .with(options.cluster);
  Result<std::vector<PgRows>> answers = connection->pipeline(queries, deadline());
  if (!answers) {
    const bool fenced = connection->sqlstate() == store_detail::sqlstate_fenced;
    return fail(fenced ? ErrorCode::stale : answers.error().code, answers.error().message);
  }
  const auto generation = static_cast<std::uint64_t>((*answers)[2].integer(0, 0));
  Result<Snapshots> snapshots =
      store_detail::read_snapshots(*connection, options.cluster, deadline());
  if (!snapshots) return tl::unexpected<Error>(std::move(snapshots.error()));
  Result<ClusterState> state = store_detail::read_cluster(*connection, options.cluster, deadline());
  if (!state) return tl::unexpected<Error>(std::move(state.error()));
  if (state->last_lsn < seen_lsn) {
    return connection->error(ErrorCode::corrupt,
                             "the server has records up to " + std::to_string(state->last_lsn) +
                                 ", but had committed " + std::to_string(seen_lsn));
  }
  writer.lead(std::move(*connection), taken, state->last_lsn, *snapshots);
  committer.start(state->last_lsn, generation);
  epoch = taken;
  return {};
}

Epoch PostgresJournal::epoch() const { return impl_->epoch; }

// --- writing ---

Result<void> PostgresJournal::Impl::check_size(const std::vector<RecordEntry>& entries) const {
  if (epoch == 0) {
    return fail(ErrorCode::failed_precondition, name + (closed ? ": closed" : ": does not lead"));
  }
  if (epoch_wanted != 0 && epoch_wanted != epoch) {
    return fail(ErrorCode::failed_precondition, name + ": epoch " + std::to_string(epoch_wanted) +
                                                    " is not the one that leads, " +
                                                    std::to_string(epoch));
  }
  std::size_t bytes = 0;
  for (const RecordEntry& entry : entries) bytes += entry.payload.size();
  if (bytes <= options.batch_bytes_max) return {};
  return fail(ErrorCode::invalid_argument, name + ": batch of " + std::to_string(bytes) +
                                               " bytes, at most " +
                                               std::to_string(options.batch_bytes_max));
}

void PostgresJournal::on_durable(OnDurable callback) {
  impl_->committer.on_durable(std::move(callback));
}

Result<Lsn> PostgresJournal::append(std::vector<RecordEntry> batch, Sync sync) {
  Result<void> checked = impl_->check_size(batch);
  if (!checked) return tl::unexpected<Error>(std::move(checked.error()));
  return impl_->committer.append(std::move(batch), impl_->epoch, sync);
}

void PostgresJournal::set_epoch(Epoch epoch) { impl_->epoch_wanted = epoch; }

Lsn PostgresJournal::last_lsn() const {
  return impl_->epoch == 0 ? impl_->seen_lsn : impl_->committer.last_lsn();
}

Result<std::uint64_t> PostgresJournal::begin_snapshot(std::uint16_t stream) {
  Result<void> checked = impl_->check_size({});
  if (!checked) return tl::unexpected<Error>(std::move(checked.error()));
  return impl_->committer.begin_snapshot(stream);
}

Result<void> PostgresJournal::append_slice(std::uint64_t generation,
                                           std::vector<RecordEntry> slice) {
  Result<void> checked = impl_->check_size(slice);
  if (!checked) return checked;
  return impl_->committer.append_slice(generation, std::move(slice));
}

Result<void> PostgresJournal::finish_snapshot(std::uint64_t generation) {
  return impl_->committer.finish_snapshot(generation);
}

std::size_t PostgresJournal::backlog_bytes() const { return impl_->committer.backlog_bytes(); }
std::uint64_t PostgresJournal::commits() const { return impl_->committer.commits(); }

}  // namespace librm
