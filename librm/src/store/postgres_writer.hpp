// A leader's commits: fenced by its epoch, looked up where their answer was lost.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "journal_group.hpp"
#include "librm/store/postgres_journal.hpp"
#include "postgres_rows.hpp"

namespace librm::store_detail {

/// All calls come from the committer's thread, once it runs.
class PostgresWriter final : public GroupSink {
 public:
  /// `name` opens every error. Both must outlive it.
  PostgresWriter(const PostgresJournalOptions& options, const std::string& name)
      : options_(options), name_(name) {}

  /// Before the committer starts. `durable` is what must be there whenever it connects.
  void lead(PgConnection connection, Epoch epoch, Lsn durable, const Snapshots& snapshots);
  void disconnect() { connection_.reset(); }

  Result<void> commit(const Group& group) override;
  void housekeeping() override;
  bool housekeeping_wanted() const override;
  bool housekeeping_urgent() const override;

 private:
  enum class Outcome { committed, absent, unknown };

  Result<void> connect();
  Result<void> verify_durable(SteadyTime deadline);
  Result<void> attempt(const Group& group, SteadyTime deadline);
  Result<bool> look_up(const Group& group, SteadyTime deadline);
  void committed(const Group& group);
  bool may_try_again() const;
  bool compact(Compaction& compaction, bool& done);
  Error too_late(const Group& group, const Error& last) const;

  const PostgresJournalOptions& options_;
  const std::string& name_;
  std::optional<PgConnection> connection_;
  Epoch epoch_ = 0;
  Lsn durable_ = 0;
  std::uint64_t commits_ = 0;
  std::deque<Compaction> compactions_;
};

}  // namespace librm::store_detail
