// Changes of jobs and schedules as server-sent events: for whoever watches, and for who follows a
// submission.
#pragma once

#include <asio/steady_timer.hpp>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "batch/batch.hpp"
#include "http/exchange.hpp"
#include "http/schedule_news.hpp"
#include "librm/base/id.hpp"
#include "librm/base/time.hpp"

namespace librm::http {

struct JobEventsOptions {
  std::size_t held_max = 10'000;         ///< events that can still be resumed from
  Duration comment_after = seconds(15);  ///< of silence
};

/// Pushes each change to its listeners at once, a job at a time in its present state: an event
/// whose state the job has left already is skipped, because the news of the next one is on its
/// way. For the same reason no more than the job's number is held of an event, and who resumes
/// gets each job that changed once. What changed about a schedule is held as it was sent.
///
/// Ids are `<epoch>-<n>`, so that an id of an earlier master resumes nothing. Lives on the loop's
/// thread; must outlive nothing but its listeners' streams, which it holds.
class JobEvents {
 public:
  /// Where jobs are looked up.
  struct Source {
    std::function<Epoch()> epoch;
    /// Null where it is not known any more.
    std::function<const batch::Job*(batch::JobId)> find;
    std::function<std::string(const batch::Job&)> render;
    /// Null where there is none of that name.
    std::function<const batch::Schedule*(const std::string&)> find_schedule;
    std::function<WallTime()> now;
  };

  JobEvents(asio::io_context& io, Source source, JobEventsOptions options = {});
  ~JobEvents();
  JobEvents(const JobEvents&) = delete;
  JobEvents& operator=(const JobEvents&) = delete;

  void on_job_changed(const batch::JobChanged& change);
  void on_schedule_changed(const batch::ScheduleChanged& change);

  /// Everything, or what happens to one job, until the client goes. An id to resume with comes
  /// first. Of one job the present state is sent then, so that a watcher misses nothing. Where
  /// `last_event_id` names an event that is not held any more, `event: gap` comes first.
  void watch(std::shared_ptr<ResponseStream> stream, std::optional<batch::JobId> job,
             std::string_view last_event_id);
  /// What is held, of everything or of one job, and the stream is closed.
  void send_held(std::shared_ptr<ResponseStream> stream, std::optional<batch::JobId> job);
  /// `submitted`, then what happens to these jobs, then `end`, and the stream is closed.
  void follow(std::shared_ptr<ResponseStream> stream, const std::vector<batch::JobId>& jobs,
              const std::string& submitted, bool repeated);

  std::size_t listeners() const { return listeners_.size(); }

 private:
  struct Listener {
    std::shared_ptr<ResponseStream> stream;
    std::optional<batch::JobId> only;  ///< of a watcher
    bool follows = false;
    std::set<batch::JobId> running;  ///< of a follower: not over yet
    int exit_code = 0;               ///< of a follower: the highest so far
    int quiet_ticks = 0;             ///< of the comment timer, since it was last sent to
  };
  using ListenerId = std::uint64_t;
  struct Held {
    batch::JobId job = 0;                         ///< 0: of a schedule
    std::shared_ptr<const std::string> schedule;  ///< what was sent of it
  };

  /// Empty where the client is gone already.
  std::optional<ListenerId> add(Listener listener);
  void remove(ListenerId id);
  void send(Listener& listener, std::string text);
  void send_event(Listener& listener, const char* event, const std::string& data,
                  std::uint64_t number);
  void send_present(Listener& listener, batch::JobId job, std::uint64_t number);
  void note_end(ListenerId id, Listener& listener, batch::JobId job, int exit_code);
  void hold(Held event);
  void resume(Listener& listener, std::string_view last_event_id);
  void send_missed(Listener& listener, std::uint64_t after);
  void comment_later();
  std::string event_id(std::uint64_t number) const;
  std::optional<std::uint64_t> number_of(std::string_view event_id) const;

  const Source source_;
  const JobEventsOptions options_;
  asio::steady_timer timer_;
  bool commenting_ = false;
  std::uint64_t number_last_ = 0;
  std::deque<Held> held_;  ///< the last one is event number_last_
  ScheduleNews schedules_;
  ListenerId listener_last_ = 0;
  std::map<ListenerId, Listener> listeners_;
  std::set<ListenerId> watch_all_;
  std::multimap<batch::JobId, ListenerId> by_job_;
};

/// What a shell would make of how the job ended: its exit code, 128 and the signal, or 1.
int exit_code_of(const batch::Job& job);

}  // namespace librm::http
