// One ring of job numbers, and an index from job to those who want to hear of it.
#include "http/job_events.hpp"

#include <algorithm>
#include <asio/io_context.hpp>
#include <chrono>

#include "http/text.hpp"

namespace librm::http {

using batch::Job;
using batch::JobId;

int exit_code_of(const Job& job) {
  if (job.state == batch::JobState::finished) return 0;
  if (job.signal) return 128 + *job.signal;
  if (job.exit_code && *job.exit_code != 0) return *job.exit_code;
  return 1;
}

JobEvents::JobEvents(asio::io_context& io, Source source, JobEventsOptions options)
    : source_(std::move(source)), options_(options), timer_(io), schedules_(source_.now()) {}

JobEvents::~JobEvents() = default;

std::string JobEvents::event_id(std::uint64_t number) const {
  return std::to_string(source_.epoch()) + '-' + std::to_string(number);
}

std::optional<std::uint64_t> JobEvents::number_of(std::string_view event_id) const {
  const std::size_t dash = event_id.find('-');
  if (dash == event_id.npos || parse_number(event_id.substr(0, dash)) != source_.epoch()) {
    return std::nullopt;
  }
  const auto number = parse_number(event_id.substr(dash + 1));
  if (!number || *number > number_last_) return std::nullopt;
  if (*number + held_.size() < number_last_) return std::nullopt;
  return number;
}

std::optional<JobEvents::ListenerId> JobEvents::add(Listener listener) {
  if (!listener.stream->is_open()) return std::nullopt;
  const ListenerId id = ++listener_last_;
  if (listener.only) by_job_.emplace(*listener.only, id);
  for (const JobId job : listener.running) by_job_.emplace(job, id);
  if (!listener.only && !listener.follows) watch_all_.insert(id);
  listener.stream->on_closed([this, id] { remove(id); });
  listeners_.emplace(id, std::move(listener));
  if (!commenting_) comment_later();
  return id;
}

void JobEvents::remove(ListenerId id) {
  const auto found = listeners_.find(id);
  if (found == listeners_.end()) return;
  Listener& listener = found->second;
  if (listener.only) listener.running.insert(*listener.only);
  for (const JobId job : listener.running) {
    const auto [begin, end] = by_job_.equal_range(job);
    const auto own = std::find_if(begin, end, [id](const auto& e) { return e.second == id; });
    if (own != end) by_job_.erase(own);
  }
  watch_all_.erase(id);
  listeners_.erase(found);
}

void JobEvents::send(Listener& listener, std::string text) {
  listener.quiet_ticks = 0;
  listener.stream->write(std::move(text));
}

void JobEvents::send_event(Listener& listener, const char* event, const std::string& data,
                           std::uint64_t number) {
  send(listener,
       "event: " + std::string(event) + "\nid: " + event_id(number) + "\ndata: " + data + "\n\n");
}

void JobEvents::send_present(Listener& listener, JobId job, std::uint64_t number) {
  if (const Job* found = source_.find(job))
    send_event(listener, "job", source_.render(*found), number);
}

void JobEvents::hold(Held event) {
  ++number_last_;
  held_.push_back(std::move(event));
  if (held_.size() > options_.held_max) held_.pop_front();
}

void JobEvents::on_schedule_changed(const batch::ScheduleChanged& change) {
  const batch::Schedule* schedule = source_.find_schedule(change.schedule);
  for (const Json& news : schedules_.on_changed(change.schedule, schedule, source_.now())) {
    const auto text = std::make_shared<const std::string>(dump(news));
    hold({0, text});
    // A listener that is cut off while it is sent to goes.
    const std::vector<ListenerId> wanted(watch_all_.begin(), watch_all_.end());
    for (const ListenerId id : wanted) {
      const auto found = listeners_.find(id);
      if (found != listeners_.end()) send_event(found->second, "schedule", *text, number_last_);
    }
  }
}

void JobEvents::on_job_changed(const batch::JobChanged& change) {
  hold({change.job, nullptr});

  std::vector<ListenerId> wanted(watch_all_.begin(), watch_all_.end());
  const auto [begin, end] = by_job_.equal_range(change.job);
  for (auto entry = begin; entry != end; ++entry) wanted.push_back(entry->second);
  if (wanted.empty()) return;

  const Job* job = source_.find(change.job);
  // An element's change is told as its array's: the counts tell.
  const bool over = !change.index && batch::is_terminal(change.state);
  const int exit_code = job != nullptr ? exit_code_of(*job) : 1;
  std::optional<std::string> text;
  if (job != nullptr && (change.index || job->state == change.state)) text = source_.render(*job);
  for (const ListenerId id : wanted) {
    const auto found = listeners_.find(id);
    if (found == listeners_.end()) continue;
    if (text) send_event(found->second, "job", *text, number_last_);
    if (over) note_end(id, found->second, change.job, exit_code);
  }
}

void JobEvents::note_end(ListenerId id, Listener& listener, JobId job, int exit_code) {
  if (!listener.follows || listener.running.erase(job) == 0) return;
  const auto [begin, end] = by_job_.equal_range(job);
  const auto own = std::find_if(begin, end, [id](const auto& e) { return e.second == id; });
  if (own != end) by_job_.erase(own);
  listener.exit_code = std::max(listener.exit_code, exit_code);
  if (!listener.running.empty()) return;
  send(listener, "event: end\nid: " + event_id(number_last_) +
                     "\ndata: {\"exit_code\":" + std::to_string(listener.exit_code) + "}\n\n");
  listener.stream->close();
  remove(id);
}

void JobEvents::watch(std::shared_ptr<ResponseStream> stream, std::optional<JobId> job,
                      std::string_view last_event_id) {
  if (!stream->is_open()) return;
  Listener listener;
  listener.stream = std::move(stream);
  listener.only = job;
  if (!last_event_id.empty()) {
    resume(listener, last_event_id);
  } else {
    // No event: a client only takes note of the id.
    send(listener, "id: " + event_id(number_last_) + "\n\n");
    if (job) send_present(listener, *job, number_last_);
  }
  add(std::move(listener));
}

void JobEvents::send_held(std::shared_ptr<ResponseStream> stream, std::optional<JobId> job) {
  if (!stream->is_open()) return;
  Listener listener;
  listener.stream = std::move(stream);
  listener.only = job;
  send_missed(listener, number_last_ - held_.size());
  send(listener, "id: " + event_id(number_last_) + "\n\n");
  listener.stream->close();
}

void JobEvents::resume(Listener& listener, std::string_view last_event_id) {
  const auto number = number_of(last_event_id);
  if (!number) {
    send(listener, "event: gap\nid: " + event_id(number_last_) + "\ndata: {}\n\n");
    if (listener.only) send_present(listener, *listener.only, number_last_);
    return;
  }
  send_missed(listener, *number);
}

/// What came after that event and is held.
void JobEvents::send_missed(Listener& listener, std::uint64_t after) {
  // Newest first, so that each job is sent with its latest event's number; then in order.
  std::set<JobId> seen;
  std::vector<std::pair<std::uint64_t, Held>> missed;
  auto entry = held_.rbegin();
  for (std::uint64_t n = number_last_; n > after; --n, ++entry) {
    if (listener.only && entry->job != *listener.only) continue;
    if (entry->job == 0 || seen.insert(entry->job).second) missed.emplace_back(n, *entry);
  }
  for (auto one = missed.rbegin(); one != missed.rend(); ++one) {
    if (one->second.job != 0) {
      send_present(listener, one->second.job, one->first);
    } else {
      send_event(listener, "schedule", *one->second.schedule, one->first);
    }
  }
}

void JobEvents::follow(std::shared_ptr<ResponseStream> stream, const std::vector<JobId>& jobs,
                       const std::string& submitted, bool repeated) {
  if (!stream->is_open()) return;
  Listener listener;
  listener.stream = std::move(stream);
  listener.follows = true;
  listener.running.insert(jobs.begin(), jobs.end());
  send(listener,
       "event: submitted\nid: " + event_id(number_last_) + "\ndata: " + submitted + "\n\n");
  const auto id = add(std::move(listener));
  // Of a submission that was made before, what has happened since is not announced again.
  if (!id || !repeated) return;
  for (const JobId one : jobs) {
    const auto found = listeners_.find(*id);
    if (found == listeners_.end()) return;
    const Job* job = source_.find(one);
    send_present(found->second, one, number_last_);
    if (job == nullptr || batch::is_terminal(job->state)) {
      note_end(*id, found->second, one, job != nullptr ? exit_code_of(*job) : 1);
    }
  }
}

void JobEvents::comment_later() {
  commenting_ = !listeners_.empty();
  if (!commenting_) return;
  constexpr int ticks = 3;
  timer_.expires_after(std::chrono::nanoseconds(options_.comment_after.ns / ticks));
  timer_.async_wait([this](const std::error_code& error) {
    if (error) return;
    for (auto& [id, listener] : listeners_) {
      if (++listener.quiet_ticks >= ticks) send(listener, ": still here\n\n");
    }
    comment_later();
  });
}

}  // namespace librm::http
