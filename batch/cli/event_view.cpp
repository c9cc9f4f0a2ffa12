// How the events of jobs and schedules are worded.
#include "event_view.hpp"

#include <chrono>
#include <ctime>

#include "job_view.hpp"

namespace batch::cli {

namespace {

/// The moment of the change: a job's document has one for each state but held.
std::optional<double> time_of_change(const Json& job) {
  const std::string state = text_of(job, "state");
  if (is_over(job)) return time_of(job, "ended");
  if (state == "running") return time_of(job, "started");
  return time_of(job, "submitted");
}

std::string job_line(const Terminal& terminal, const Json& job) {
  std::string text = "job " + paint(terminal, "1", shown(job, "id")) + "  " + shown(job, "name") +
                     "  " + paint_state(terminal, shown(job, "state"));
  const std::string more = remark(job);
  if (!more.empty()) text += "  " + more;
  const std::string node = shown(member(job, "node"), "hostname");
  if (!node.empty()) text += "  " + paint(terminal, "2", "on " + node);
  return text;
}

std::string schedule_line(const Terminal& terminal, const Json& data) {
  const std::string change = text_of(data, "change");
  std::string text = "schedule " + paint(terminal, "1", shown(data, "name")) + "  ";
  if (change == "run_started" || change == "run_ended") {
    text += "run " + shown(data, "run") + "  " +
            paint_state(terminal, change == "run_started" ? "running" : shown(data, "state"));
    std::string ids;
    for (const Json& id : member(data, "jobs")) ids += (ids.empty() ? "" : ",") + id.dump();
    if (!ids.empty()) text += "  " + paint(terminal, "2", "jobs " + ids);
  } else {
    text += paint(terminal, change == "missed" ? "33" : "36", escape(change));
  }
  const std::string reason = shown(data, "reason");
  return reason.empty() ? text : text + "  " + reason;
}

}  // namespace

double wall_now() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration<double>(since).count();
}

std::string clock_time(std::optional<double> seconds, double now) {
  if (!seconds) return "-";
  const auto at = static_cast<std::time_t>(*seconds);
  const auto present = static_cast<std::time_t>(now);
  std::tm local{};
  std::tm today{};
  ::localtime_r(&at, &local);
  ::localtime_r(&present, &today);
  const bool same_day = local.tm_year == today.tm_year && local.tm_yday == today.tm_yday;
  char text[40];
  std::strftime(text, sizeof text, same_day ? "%H:%M:%S" : "%Y-%m-%d %H:%M:%S", &local);
  return text;
}

std::string event_line(const Terminal& terminal, const std::string& event, const Json& data) {
  const bool is_job = event == "job";
  const auto at = is_job ? time_of_change(data) : time_of(data, "at");
  const std::string text = paint(terminal, "2", clock_time(at, wall_now())) + "  " +
                           (is_job ? job_line(terminal, data) : schedule_line(terminal, data));
  return shorten_painted(text, terminal.width) + '\n';
}

}  // namespace batch::cli
