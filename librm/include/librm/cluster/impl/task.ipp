// Names of task states and reasons, and what a task id may look like.
#pragma once

#include "librm/cluster/task.hpp"

namespace librm {

LIBRM_DECL const char* to_string(TaskState state) {
  switch (state) {
    case TaskState::staging:
      return "staging";
    case TaskState::starting:
      return "starting";
    case TaskState::running:
      return "running";
    case TaskState::killing:
      return "killing";
    case TaskState::finished:
      return "finished";
    case TaskState::failed:
      return "failed";
    case TaskState::killed:
      return "killed";
    case TaskState::error:
      return "error";
    case TaskState::lost:
      return "lost";
    case TaskState::dropped:
      return "dropped";
    case TaskState::unreachable:
      return "unreachable";
    case TaskState::gone:
      return "gone";
    case TaskState::gone_by_operator:
      return "gone_by_operator";
    case TaskState::unknown:
      return "unknown";
  }
  return "invalid";
}

LIBRM_DECL const char* to_string(TaskReason reason) {
  switch (reason) {
    case TaskReason::none:
      return "none";
    case TaskReason::command_failed:
      return "command_failed";
    case TaskReason::launch_failed:
      return "launch_failed";
    case TaskReason::time_limit_reached:
      return "time_limit_reached";
    case TaskReason::memory_limit:
      return "memory_limit";
    case TaskReason::disk_limit:
      return "disk_limit";
    case TaskReason::killed_by_framework:
      return "killed_by_framework";
    case TaskReason::killed_during_launch:
      return "killed_during_launch";
    case TaskReason::framework_removed:
      return "framework_removed";
    case TaskReason::invalid_task:
      return "invalid_task";
    case TaskReason::invalid_offers:
      return "invalid_offers";
    case TaskReason::agent_unreachable:
      return "agent_unreachable";
    case TaskReason::agent_restarted:
      return "agent_restarted";
    case TaskReason::agent_removed:
      return "agent_removed";
    case TaskReason::agent_removed_by_operator:
      return "agent_removed_by_operator";
    case TaskReason::agent_draining:
      return "agent_draining";
    case TaskReason::lease_expired:
      return "lease_expired";
    case TaskReason::stale_incarnation:
      return "stale_incarnation";
    case TaskReason::duplicate_task:
      return "duplicate_task";
    case TaskReason::resources_unavailable:
      return "resources_unavailable";
    case TaskReason::exit_status_unknown:
      return "exit_status_unknown";
    case TaskReason::executor_terminated:
      return "executor_terminated";
    case TaskReason::executor_registration_timeout:
      return "executor_registration_timeout";
    case TaskReason::reconciliation:
      return "reconciliation";
    case TaskReason::preempted:
      return "preempted";
    case TaskReason::release_by_reached:
      return "release_by_reached";
    case TaskReason::fetch_failed:
      return "fetch_failed";
    case TaskReason::killed_by_operator:
      return "killed_by_operator";
  }
  return "invalid";
}

LIBRM_DECL Result<void> validate_task_id(const TaskId& id) {
  if (id.empty() || id.size() > 255) {
    return fail(ErrorCode::invalid_argument,
                "task id: 1 to 255 bytes, given " + std::to_string(id.size()));
  }
  for (char c : id) {
    const bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '.' || c == '_' || c == '-';
    if (!good) {
      return fail(ErrorCode::invalid_argument, "task id: letters, digits, '.', '_' and '-' only");
    }
  }
  if (id[0] == '.' || id[0] == '-') {
    return fail(ErrorCode::invalid_argument, "task id: must not start with '.' or '-'");
  }
  return {};
}

LIBRM_DECL std::size_t text_bytes(const TaskInfo& info) {
  const auto of_command = [](const Command& command) {
    std::size_t bytes = command.value.size() + command.working_directory.size();
    for (const std::string& argument : command.arguments) bytes += argument.size() + 8;
    for (const auto& [name, value] : command.environment) bytes += name.size() + value.size() + 16;
    for (const Fetch& one : command.fetch) bytes += one.uri.size() + one.output_file.size() + 16;
    return bytes;
  };
  std::size_t bytes = info.id.size() + info.name.size() + info.data.size();
  bytes += of_command(info.command);
  for (const auto& [name, value] : info.labels) bytes += name.size() + value.size() + 16;
  if (info.executor) bytes += of_command(info.executor->command) + info.executor->data.size();
  return bytes;
}

}  // namespace librm
