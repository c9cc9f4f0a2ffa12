// The variables that tasks find: who they are, and which occurrence they are run for.
#include "environment.hpp"

#include <chrono>
#include <cstdio>

namespace batch {

namespace {

std::string amount(const librm::Request& request, const char* name) {
  const auto found = request.amounts.find(name);
  return found == request.amounts.end() ? "0" : to_string(found->second);
}

std::string rfc3339(librm::WallTime time) {
  using namespace std::chrono;
  const sys_time<nanoseconds> at{nanoseconds{time.ns}};
  const auto day = floor<days>(at);
  const year_month_day date{day};
  const hh_mm_ss clock{floor<milliseconds>(at - day)};
  char text[64];
  std::snprintf(
      text, sizeof text, "%04d-%02u-%02uT%02ld:%02ld:%02ld.%03ldZ", static_cast<int>(date.year()),
      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
      static_cast<long>(clock.hours().count()), static_cast<long>(clock.minutes().count()),
      static_cast<long>(clock.seconds().count()), static_cast<long>(clock.subseconds().count()));
  return text;
}

}  // namespace

void add_environment(const Job& job, std::optional<std::uint32_t> index, const Attempt& attempt,
                     std::map<std::string, std::string>& environment) {
  environment["RM_JOB_ID"] = std::to_string(job.id);
  environment["RM_JOB_NAME"] = job.spec.name;
  environment["RM_RUN"] = std::to_string(attempt.run);
  environment["RM_ATTEMPT"] = std::to_string(attempt.attempt);
  if (index) {
    const librm::Ranges& all = job.spec.array->indices;
    environment["RM_ARRAY_INDEX"] = std::to_string(*index);
    environment["RM_ARRAY_COUNT"] = std::to_string(all.count());
    environment["RM_ARRAY_MIN"] = std::to_string(all.list().front().begin);
    environment["RM_ARRAY_MAX"] = std::to_string(all.list().back().end);
  }
  if (job.schedule) {
    environment["RM_SCHEDULE"] = job.schedule->schedule;
    environment["RM_SCHEDULE_RUN"] = std::to_string(job.schedule->run);
    environment["RM_SCHEDULE_TIME"] = rfc3339(job.schedule->nominal);
  }
  if (job.spec.dialect != Dialect::chronos) return;
  const librm::WallTime due = job.schedule ? job.schedule->nominal : job.submitted;
  environment["MESOS_TASK_ID"] = attempt.latest.task;
  environment["CHRONOS_JOB_OWNER"] = job.spec.owner;
  environment["CHRONOS_JOB_NAME"] = job.schedule ? job.schedule->schedule : job.spec.name;
  environment["HOST"] = attempt.hostname;
  environment["CHRONOS_RESOURCE_CPU"] = amount(job.spec.request, "cpus");
  environment["CHRONOS_RESOURCE_MEM"] = amount(job.spec.request, "mem");
  environment["CHRONOS_RESOURCE_DISK"] = amount(job.spec.request, "disk");
  environment["CHRONOS_JOB_RUN_TIME"] = std::to_string(due.ns / 1'000'000);
  environment["CHRONOS_JOB_RUN_ATTEMPT"] = std::to_string(job.failures);
}

}  // namespace batch
