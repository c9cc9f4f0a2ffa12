// The C interface of events and tasks: what is read from a session, and what is launched by it.
#include "session.hpp"

namespace c = librm::c;
using namespace librm;

const rm_event* rm_session_next_event(rm_session* session) {
  if (session == nullptr || session->events.empty()) return nullptr;
  session->current = std::move(session->events.front());
  session->events.pop_front();
  return &session->current;
}

int rm_event_type(const rm_event* event) { return event == nullptr ? 0 : event->type; }
uint64_t rm_event_framework(const rm_event* event) {
  return event == nullptr ? 0 : event->framework;
}
uint64_t rm_event_offer(const rm_event* event) { return event == nullptr ? 0 : event->offer; }
uint64_t rm_event_agent(const rm_event* event) { return event == nullptr ? 0 : event->agent; }
uint64_t rm_event_sequence(const rm_event* event) { return event == nullptr ? 0 : event->sequence; }
int64_t rm_event_number(const rm_event* event) { return event == nullptr ? 0 : event->number; }
int64_t rm_event_time_ns(const rm_event* event) {
  return event == nullptr ? RM_NO_TIME : event->time_ns;
}
int32_t rm_event_exit_code(const rm_event* event) {
  return event == nullptr ? RM_NO_EXIT_CODE : event->exit_code;
}
int rm_event_is_terminal(const rm_event* event) { return event != nullptr && event->terminal; }
int64_t rm_event_available_until_ns(const rm_event* event) {
  return event == nullptr ? RM_NO_TIME : event->available_until_ns;
}
int rm_event_is_lent(const rm_event* event) { return event != nullptr && event->lent; }
uint64_t rm_event_earmark(const rm_event* event) { return event == nullptr ? 0 : event->earmark; }
uint64_t rm_event_demand(const rm_event* event) { return event == nullptr ? 0 : event->demand; }
uint32_t rm_event_together(const rm_event* event) { return event == nullptr ? 0 : event->together; }

namespace {

const char* shown(const rm_event* event, std::string rm_event::*text) {
  return event == nullptr ? "" : (event->*text).c_str();
}

}  // namespace

const char* rm_event_hostname(const rm_event* event) { return shown(event, &rm_event::hostname); }
const char* rm_event_role(const rm_event* event) { return shown(event, &rm_event::role); }
const char* rm_event_resources(const rm_event* event) { return shown(event, &rm_event::resources); }
const char* rm_event_attributes(const rm_event* event) {
  return shown(event, &rm_event::attributes);
}
const char* rm_event_task(const rm_event* event) { return shown(event, &rm_event::task); }
const char* rm_event_executor(const rm_event* event) { return shown(event, &rm_event::executor); }
const char* rm_event_state(const rm_event* event) { return shown(event, &rm_event::state); }
const char* rm_event_reason(const rm_event* event) { return shown(event, &rm_event::reason); }
const char* rm_event_message(const rm_event* event) { return shown(event, &rm_event::message); }
const void* rm_event_data(const rm_event* event, size_t* size) {
  if (size != nullptr) *size = event == nullptr ? 0 : event->data.size();
  return shown(event, &rm_event::data);
}

// --- tasks ---

rm_code rm_task_new(const char* id, const char* resources, const char* command, rm_task** out,
                    rm_error** error) {
  return c::call(error, [&] {
    rm_task*& made = c::need(out, "out");
    auto task = std::make_unique<rm_task>();
    task->info.id = c::text(id, "id");
    c::take(validate_task_id(task->info.id));
    task->info.resources = c::take(Resources::parse(c::text(resources, "resources")));
    task->info.command.value = c::text(command, "command");
    made = task.release();
  });
}
void rm_task_free(rm_task* task) { delete task; }

rm_code rm_task_set_program(rm_task* task, const char* program, const char* const* arguments,
                            size_t count, rm_error** error) {
  return c::call(error, [&] {
    Command& changed = c::need(task, "task").info.command;
    if (count > 0) c::need(arguments, "arguments");
    std::vector<std::string> list;
    for (std::size_t i = 0; i < count; ++i) list.emplace_back(c::text(arguments[i], "argument"));
    changed.value = c::text(program, "program");
    changed.arguments = std::move(list);
    changed.shell = false;
  });
}
rm_code rm_task_set_name(rm_task* task, const char* name, rm_error** error) {
  return c::call(error, [&] { c::need(task, "task").info.name = c::text(name, "name"); });
}
rm_code rm_task_set_role(rm_task* task, const char* role, rm_error** error) {
  return c::call(error, [&] {
    TaskInfo& changed = c::need(task, "task").info;
    std::string wanted(c::text(role, "role"));
    c::take(check_role(wanted));
    changed.role = std::move(wanted);
  });
}
rm_code rm_task_set_environment(rm_task* task, const char* name, const char* value,
                                rm_error** error) {
  return c::call(error, [&] {
    const std::string variable(c::text(name, "name"));
    c::need(task, "task").info.command.environment[variable] = c::text(value, "value");
  });
}
rm_code rm_task_set_data(rm_task* task, const void* data, size_t size, rm_error** error) {
  return c::call(error, [&] {
    TaskInfo& changed = c::need(task, "task").info;
    if (size > task_bytes_max) {
      c::raise(RM_RESOURCE_EXHAUSTED,
               "data: " + std::to_string(size) + " bytes, limit " + std::to_string(task_bytes_max));
    }
    changed.data = c::bytes_of(data, size, "data");
  });
}
rm_code rm_task_set_release_by(rm_task* task, int64_t wall_ns, rm_error** error) {
  return c::call(error, [&] {
    std::optional<WallTime>& release_by = c::need(task, "task").info.release_by;
    release_by.reset();
    if (wall_ns != RM_NO_TIME) release_by = c::wall_time(wall_ns, "release by");
  });
}
rm_code rm_task_set_time_limit(rm_task* task, int64_t duration_ns, rm_error** error) {
  return c::call(error, [&] {
    c::need(task, "task").info.time_limit = c::duration(duration_ns, "time limit");
  });
}
rm_code rm_task_set_kill_grace(rm_task* task, int64_t duration_ns, rm_error** error) {
  return c::call(error, [&] {
    c::need(task, "task").info.kill_grace = c::duration(duration_ns, "kill grace");
  });
}
