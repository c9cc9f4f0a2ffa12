// `rmctl run`: one request submits a job and follows it; its output and exit code become ours.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <deque>
#include <memory>

#include "job_options.hpp"
#include "job_view.hpp"
#include "log_stream.hpp"
#include "sse.hpp"
#include "verb.hpp"

namespace batch::cli {

using librm::Error;
using librm::ErrorCode;
using librm::fail;
using librm::Result;

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds reconnect_pause{200};
constexpr std::chrono::seconds master_back_within{60};
constexpr std::chrono::seconds silence_max{40};

/// Everything that can happen arrives at one poll(): events, both outputs, signals.
class Run {
 public:
  Run(const Context& context, Master& master, Json job)
      : context_(context), master_(master), job_(std::move(job)) {}
  ~Run() {
    if (signals_ >= 0) ::close(signals_);
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  Result<int> run();

 private:
  void catch_signals();
  Result<void> submit();
  Result<void> on_events_readable();
  void on_event(const ServerEvent& event);
  void on_job(const Json& job);
  Result<void> on_events_lost(Error why);
  void on_signal();
  void cancel(const std::string& reason);
  void follow_attempt(std::uint32_t attempt);
  void drop_finished_outputs();
  Result<void> wait_and_dispatch();
  bool over() const { return exit_code_ && outputs_.empty(); }

  const Context& context_;
  Master& master_;
  Json job_;
  const std::string key_ = new_idempotency_key();
  int signals_ = -1;
  std::unique_ptr<Exchange> events_;
  SseParser parser_;
  Clock::time_point last_heard_ = Clock::now();
  std::optional<Clock::time_point> reconnect_at_;
  std::optional<Clock::time_point> lost_since_;
  std::uint64_t id_ = 0;
  Json last_seen_;
  std::uint32_t attempt_ = 0;
  std::deque<std::unique_ptr<LogStream>> outputs_;  ///< two for each attempt
  std::optional<int> exit_code_;
  std::string cancel_reason_;
  bool cancel_sent_ = false;
  bool leave_ = false;
};

void Run::catch_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, signal);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  signals_ = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  ::signal(SIGPIPE, SIG_IGN);  // a closed stdout ends the job, not just us
}

Result<void> Run::submit() {
  Request request = post_request("/v1/jobs?follow=1", job_, key_);
  request.headers.front().second = "text/event-stream";
  parser_ = SseParser();
  auto exchange = master_.start(request);
  if (!exchange) return tl::unexpected(exchange.error());
  events_ = std::move(*exchange);
  last_heard_ = Clock::now();
  return {};
}

Result<void> Run::on_events_readable() {
  last_heard_ = Clock::now();
  const auto read = events_->read_some();
  if (events_->head_complete() && events_->status() >= 400) {
    if (read && !events_->done()) return {};
    return tl::unexpected(problem_of(events_->take_response(), master_.address()));
  }
  parser_.feed(events_->take_body());
  while (const auto event = parser_.next()) on_event(*event);
  if (exit_code_) {
    events_.reset();
    return {};
  }
  if (read && !events_->done()) return {};
  return on_events_lost(read ? Error{ErrorCode::unavailable, "the stream ended"} : read.error());
}

void Run::on_event(const ServerEvent& event) {
  lost_since_.reset();
  const Json data = Json::parse(event.data, nullptr, false);
  if (event.event == "submitted") {
    const Json& jobs = member(data, "jobs");
    if (jobs.is_array() && !jobs.empty()) id_ = id_of(jobs.front(), "id");
    if (!cancel_reason_.empty()) cancel(cancel_reason_);
  } else if (event.event == "job") {
    on_job(data);
  } else if (event.event == "end") {
    // Older streams may lack a job's last event, hence both.
    const auto code = number_of(data, "exit_code");
    exit_code_ = code ? static_cast<int>(*code) & 255 : job_exit_code(last_seen_);
    for (auto& output : outputs_) output->job_is_over();
  }
}

void Run::on_job(const Json& job) {
  last_seen_ = job;
  if (id_ == 0) id_ = id_of(job, "id");
  const auto attempt = static_cast<std::uint32_t>(number_of(job, "attempt").value_or(0));
  // Before an attempt has started there is no file to ask for.
  const bool started = !text_of(job, "started").empty() || attempt > 1;
  // Events may skip attempts that were short.
  while (started && attempt_ < attempt) follow_attempt(attempt_ + 1);
}

void Run::follow_attempt(std::uint32_t attempt) {
  attempt_ = attempt;
  // What is older will not grow any more.
  for (auto& output : outputs_) output->job_is_over();
  for (const auto& [stream, fd] : {std::pair{"stdout", 1}, std::pair{"stderr", 2}}) {
    LogStream::Source source{std::to_string(id_), stream, attempt};
    outputs_.push_back(std::make_unique<LogStream>(master_, source, sink_to(fd)));
  }
}

/// The submission is repeated: its key makes the master answer with the same job.
Result<void> Run::on_events_lost(Error why) {
  events_.reset();
  const auto now = Clock::now();
  if (!lost_since_) {
    context_.note("lost the master; waiting for it to come back");
    lost_since_ = now;
  }
  if (now - *lost_since_ > master_back_within) {
    const std::string job = id_ == 0 ? "" : "; job " + std::to_string(id_) + " goes on without us";
    return fail(ErrorCode::unavailable, why.message + job);
  }
  reconnect_at_ = now + reconnect_pause;
  return {};
}

void Run::cancel(const std::string& reason) {
  cancel_reason_ = reason;
  if (id_ == 0 || cancel_sent_) return;
  cancel_sent_ = true;
  const std::string target = job_path(std::to_string(id_)) + "/cancel";
  const auto answer = master_.post(target, Json{{"reason", reason}}, new_idempotency_key());
  if (!answer)
    context_.note("cancelling job " + std::to_string(id_) + ": " + answer.error().message);
}

void Run::on_signal() {
  signalfd_siginfo info{};
  if (::read(signals_, &info, sizeof info) != sizeof info) return;
  const int signal = static_cast<int>(info.ssi_signo);
  if (!cancel_reason_.empty()) {
    leave_ = true;
    exit_code_ = 128 + signal;
    return;
  }
  const std::string job = id_ == 0 ? "the job" : "job " + std::to_string(id_);
  context_.note("cancelling " + job + (signal == SIGINT ? "; ^C again leaves at once" : ""));
  cancel("rmctl run was interrupted");
}

void Run::drop_finished_outputs() {
  while (!outputs_.empty() && outputs_.front()->done()) {
    const LogStream& output = *outputs_.front();
    if (output.target_closed()) cancel("nobody reads its output any more");
    // An attempt that never ran has no output, and that is no news.
    if (output.error() && output.error()->code != ErrorCode::not_found &&
        output.error()->code != ErrorCode::failed_precondition) {
      context_.note("some output is missing: " + output.error()->message);
    }
    outputs_.pop_front();
  }
}

Result<void> Run::wait_and_dispatch() {
  std::vector<pollfd> waiting{{signals_, POLLIN, 0}, {events_ ? events_->fd() : -1, POLLIN, 0}};
  std::optional<Clock::time_point> wake = reconnect_at_;
  std::size_t readable = 0;
  for (; readable < outputs_.size(); ++readable) {
    const std::size_t i = readable;
    // A later attempt's output waits until this one's is complete.
    if (outputs_[i]->attempt() != outputs_.front()->attempt()) break;
    waiting.push_back({outputs_[i]->fd(), POLLIN, 0});
    if (const auto at = outputs_[i]->wake()) wake = wake ? std::min(*wake, *at) : *at;
  }
  milliseconds timeout = silence_max;
  if (wake) {
    const auto left = std::chrono::ceil<milliseconds>(*wake - Clock::now());
    timeout = std::clamp(left, milliseconds(0), timeout);
  }
  if (::poll(waiting.data(), waiting.size(), static_cast<int>(timeout.count())) < 0) return {};
  if (waiting[0].revents != 0) on_signal();
  for (std::size_t i = 0; i < readable; ++i) outputs_[i]->advance();
  drop_finished_outputs();
  if (waiting[1].revents != 0) return on_events_readable();
  if (events_ && Clock::now() - last_heard_ >= silence_max) {
    return on_events_lost({ErrorCode::unavailable, "the master is silent"});
  }
  if (reconnect_at_ && Clock::now() >= *reconnect_at_) {
    reconnect_at_.reset();
    if (const auto sent = submit(); !sent) return on_events_lost(sent.error());
  }
  return {};
}

Result<int> Run::run() {
  catch_signals();
  if (auto sent = submit(); !sent) return tl::unexpected(sent.error());
  while (!leave_ && !over()) {
    if (auto passed = wait_and_dispatch(); !passed) return tl::unexpected(passed.error());
  }
  if (leave_) return *exit_code_;
  // A program that exits speaks for itself; what was done to it does not.
  const bool finished = text_of(last_seen_, "state") == "finished";
  if (is_over(last_seen_) && !finished && !number_of(last_seen_, "exit_code")) {
    context_.note(ending(last_seen_));
  }
  return *exit_code_;
}

struct RunOptions {
  JobOptions job;
  std::vector<std::string> given;
};

Result<int> run_job(const Context& context, const RunOptions& options) {
  std::vector<std::string> argv = options.given;
  argv.insert(argv.end(), context.command.begin(), context.command.end());
  if (argv.empty()) return fail(ErrorCode::invalid_argument, "what to run? rmctl run -- COMMAND");
  auto job = job_of_command(options.job, argv);
  if (!job) return tl::unexpected(job.error());
  auto master = Master::find(context.master_flag);
  if (!master) return tl::unexpected(master.error());
  return Run(context, *master, std::move(*job)).run();
}

}  // namespace

Action define_run(CLI::App& app, Context& context) {
  const auto options = std::make_shared<RunOptions>();
  app.add_option("command", options->given, "the command; put -- before it if it has options")
      ->type_name("COMMAND");
  define_job_options(app, options->job);
  return [options, &context] { return run_job(context, *options); };
}

}  // namespace batch::cli
