// Several masters: which of them leads, and what the others read of its journal meanwhile.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "librm/base/id.hpp"
#include "librm/base/result.hpp"
#include "librm/base/time.hpp"
#include "librm/runtime/elector.hpp"
#include "librm/store/postgres_journal.hpp"

namespace asio {
class io_context;
}

namespace librm::daemon {

struct LeadershipOptions {
  std::string state;    ///< `postgresql://...`
  std::string cluster;  ///< keys it in the database
  std::string zk;       ///< `zk://...` or `file:///...`; empty: this master leads, alone
  Duration zk_session = seconds(10);
  Member self;
};

/// ZooKeeper says who may try to lead, PostgreSQL who does: a master that is elected takes the next
/// epoch there, which ends what every earlier leader writes. Until then it follows the journal, so
/// that little is left to read. Who was deposed is of no more use: over() is called, and the
/// process begins anew.
///
/// On the io_context's thread, where callbacks come, too, and none from within a call of the owner
/// but start(). Opening the database, reading it and taking the lead block the loop, at most for
/// PostgresJournalOptions::outage_max without news.
class Leadership {
 public:
  struct Callbacks {
    /// A record that this master has not made. What it fails with ends the process.
    std::function<Result<void>(Lsn, const RecordEntry&)> apply;
    /// All that was applied is void, and comes anew.
    std::function<void()> reset;
    /// It leads under this epoch; everything before was applied. So much is this host's wall clock
    /// ahead of the database's, which all masters have in common.
    std::function<void(Epoch, Duration ahead)> lead;
    /// It does not lead any more, or cannot go on.
    std::function<void(const std::string& reason)> over;
  };

  Leadership(asio::io_context& io, LeadershipOptions options, Callbacks callbacks);
  ~Leadership();
  Leadership(const Leadership&) = delete;
  Leadership& operator=(const Leadership&) = delete;

  /// Applies what is in the journal; leads at once where there is no election. Fails with what the
  /// URLs or the database say.
  Result<void> start();
  /// Withdraws, so that another is elected at once. No callback follows.
  void stop();

  /// Others may lead from the moment when this is false.
  bool leading() const;
  /// Who leads as far as is known here, perhaps this master itself.
  std::optional<Member> leader() const;
  PostgresJournal& journal();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace librm::daemon
