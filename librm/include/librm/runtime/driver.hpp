// Runs any core over any ports: the one loop that daemon, embedder and simulator share.
#pragma once

#include <cstddef>
#include <deque>
#include <utility>
#include <variant>
#include <vector>

#include "librm/base/check.hpp"
#include "librm/base/id.hpp"
#include "librm/base/result.hpp"
#include "librm/base/time.hpp"

namespace librm {

/// Connects a core to the world. `Core` names its Event, Record, Output and Actions types and has
/// the functions that cluster/core.hpp lists. `Ports` has
///
///     Now now();
///     Result<Lsn> append(std::vector<Record> batch);   // journals a batch without waiting; one
///                                                      // LSN per record, returns the last
///     void perform(Output output);                     // does it; may call Driver::post()
///     void wake_at(Deadline deadline);                 // replaces the earlier wish
///     void want_turn();                                // call Driver::turn() soon, not from here
///     void fail(Error error);                          // the journal failed: end the process
///
/// The rule that it enforces: an output waits until every record that precedes it is durable, and
/// outputs are performed in order. Not thread-safe; on_durable() is called on the loop's thread.
template <class Core, class Ports>
class Driver {
 public:
  using Event = typename Core::Event;
  using Record = typename Core::Record;
  using Output = typename Core::Output;
  using Actions = typename Core::Actions;

  Driver(Core& core, Ports& ports) : core_(core), ports_(ports) {}
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;

  /// After the owner has applied snapshot and journal: `last` is the last LSN that they hold, and
  /// all of it is durable.
  void resume(Lsn last) {
    appended_ = durable_ = last;
    Actions actions;
    const Now now = ports_.now();
    core_.resume(now, actions);
    core_.flush(now, actions);
    dispatch(actions);
    ports_.wake_at(core_.next_deadline());
  }

  /// Queues an event; a turn is asked for.
  void post(Event event) {
    inbox_.push_back(std::move(event));
    if (inbox_.size() == 1) ports_.want_turn();
  }

  /// Steps through all queued events as one batch, journals their records, performs what may be
  /// performed, and says when it wants to be woken.
  void turn() {
    if (failed_) return;
    const Now now = ports_.now();
    batch_.clear();
    batch_.swap(inbox_);
    Actions actions;
    for (const Event& event : batch_) core_.step(now, event, actions);
    core_.flush(now, actions);
    dispatch(actions);
    if (!failed_) ports_.wake_at(core_.next_deadline());
  }

  /// The journal says that everything up to `lsn` is safe.
  void on_durable(Lsn lsn) {
    if (lsn > durable_) durable_ = lsn;
    while (!waiting_.empty() && waiting_.front().first <= durable_ && !failed_) {
      Output output = std::move(waiting_.front().second);
      waiting_.pop_front();
      ports_.perform(std::move(output));
    }
  }

  Lsn appended() const { return appended_; }
  Lsn durable() const { return durable_; }
  std::size_t outputs_waiting() const { return waiting_.size(); }
  bool idle() const { return inbox_.empty() && waiting_.empty(); }

 private:
  void dispatch(Actions& actions) {
    std::vector<Record> records;
    for (auto& item : actions.items()) {
      if (item.index() == 0) {
        records.push_back(std::move(std::get<0>(item)));
      } else {
        waiting_.emplace_back(appended_ + records.size(), std::move(std::get<1>(item)));
      }
    }
    if (!records.empty()) {
      const std::size_t count = records.size();
      Result<Lsn> last = ports_.append(std::move(records));
      if (!last) {
        failed_ = true;
        waiting_.clear();
        ports_.fail(last.error());
        return;
      }
      LIBRM_CHECK(*last == appended_ + count, "a journal numbers records one by one");
      appended_ = *last;
    }
    on_durable(durable_);
  }

  Core& core_;
  Ports& ports_;
  std::vector<Event> inbox_;
  std::vector<Event> batch_;
  std::deque<std::pair<Lsn, Output>> waiting_;
  Lsn appended_ = 0;
  Lsn durable_ = 0;
  bool failed_ = false;
};

}  // namespace librm
