// Names of what jobs are made of, and task ids as text.
#include "batch/job.hpp"

#include <charconv>

namespace batch {

const char* to_string(EdgeKind kind) {
  switch (kind) {
    case EdgeKind::ok:
      return "ok";
    case EdgeKind::any:
      return "any";
    case EdgeKind::not_ok:
      return "notok";
    case EdgeKind::start:
      return "start";
    case EdgeKind::corresponding:
      return "corr";
  }
  return "unknown";
}

const char* to_string(EdgeState state) {
  switch (state) {
    case EdgeState::pending:
      return "pending";
    case EdgeState::satisfied:
      return "satisfied";
    case EdgeState::unsatisfiable:
      return "unsatisfiable";
  }
  return "unknown";
}

const char* to_string(OnDependencyFailed policy) {
  switch (policy) {
    case OnDependencyFailed::cancel:
      return "cancel";
    case OnDependencyFailed::hold:
      return "hold";
    case OnDependencyFailed::run:
      return "run";
  }
  return "unknown";
}

const char* to_string(LostPolicy policy) {
  switch (policy) {
    case LostPolicy::wait:
      return "wait";
    case LostPolicy::fence:
      return "fence";
    case LostPolicy::rerun:
      return "rerun";
  }
  return "unknown";
}

const char* to_string(JobState state) {
  switch (state) {
    case JobState::pending:
      return "pending";
    case JobState::held:
      return "held";
    case JobState::running:
      return "running";
    case JobState::finished:
      return "finished";
    case JobState::failed:
      return "failed";
    case JobState::cancelled:
      return "cancelled";
  }
  return "unknown";
}

const char* to_string(JobAction action) {
  switch (action) {
    case JobAction::cancel:
      return "cancel";
    case JobAction::hold:
      return "hold";
    case JobAction::release:
      return "release";
    case JobAction::requeue:
      return "requeue";
    case JobAction::retry:
      return "retry";
  }
  return "unknown";
}

std::string to_string(const ElementId& id) {
  std::string text = std::to_string(id.job);
  if (id.index) text += '_' + std::to_string(*id.index);
  return text;
}

librm::TaskId task_id(const TaskName& name) {
  std::string id = to_string(ElementId{name.job, name.index});
  id += '.' + std::to_string(name.run);
  id += '.' + std::to_string(name.attempt);
  return id;
}

namespace {

/// Reads a number without sign or leading zero and moves past it.
template <class Number>
bool take_number(std::string_view& text, Number& number) {
  if (text.empty() || (text[0] == '0' && text.size() > 1 && text[1] >= '0' && text[1] <= '9')) {
    return false;
  }
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(stop - text.data()));
  return true;
}

bool take(std::string_view& text, char c) {
  if (text.empty() || text[0] != c) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

std::optional<TaskName> parse_task_id(std::string_view id) {
  TaskName name;
  if (!take_number(id, name.job) || name.job == 0) return std::nullopt;
  if (take(id, '_')) {
    std::uint32_t index = 0;
    if (!take_number(id, index)) return std::nullopt;
    name.index = index;
  }
  if (!take(id, '.') || !take_number(id, name.run) || name.run == 0) return std::nullopt;
  if (!take(id, '.') || !take_number(id, name.attempt) || name.attempt == 0) return std::nullopt;
  if (!id.empty()) return std::nullopt;
  return name;
}

}  // namespace batch
