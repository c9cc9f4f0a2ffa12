// Builds the argument list and the environment of a task.
#include "shepherd/launch_plan.hpp"

#include <utility>

#include "shepherd/fetch_plan.hpp"

namespace librm::shepherd {
namespace {

using Variables = std::map<std::string, std::string>;

Result<void> check_text(std::string_view what, std::string_view text) {
  if (text.find('\0') == std::string_view::npos) return {};
  return fail(ErrorCode::invalid_argument, std::string(what) + ": contains a NUL byte");
}

Result<void> check(const TaskStart& start) {
  const Command& command = start.command;
  if (command.value.empty()) return fail(ErrorCode::invalid_argument, "command: empty");
  if (start.sandbox.empty()) return fail(ErrorCode::invalid_argument, "sandbox: empty");
  if (auto ok = check_text("command", command.value); !ok) return ok;
  if (auto ok = check_text("sandbox", start.sandbox); !ok) return ok;
  if (auto ok = check_text("working directory", command.working_directory); !ok) return ok;
  if (auto ok = check_text("user", command.user); !ok) return ok;
  for (const std::string& argument : command.arguments) {
    if (auto ok = check_text("argument", argument); !ok) return ok;
  }
  for (const std::uint32_t cpu : start.cpus) {
    if (cpu < cpus_max) continue;
    return fail(ErrorCode::invalid_argument, "processor " + std::to_string(cpu) +
                                                 ": no host has it, they are below " +
                                                 std::to_string(cpus_max));
  }
  for (const Fetch& file : command.fetch) {
    if (auto ok = check_text("fetch", file.uri); !ok) return ok;
    if (auto ok = check_text("fetch: output file", file.output_file); !ok) return ok;
  }
  for (const auto& [name, value] : command.environment) {
    if (name.empty() || name.find('=') != std::string::npos) {
      return fail(ErrorCode::invalid_argument,
                  "environment: '" + name + "' is not a variable's name");
    }
    if (auto ok = check_text("environment", name); !ok) return ok;
    if (auto ok = check_text("environment: " + name, value); !ok) return ok;
  }
  return {};
}

Variables variables_of(const TaskStart& start, const BaseEnvironment& base) {
  Variables variables = base.kept;
  variables["PATH"] = base.path;
  variables["HOME"] = base.home.empty() ? start.sandbox : base.home;
  if (!base.user.empty()) variables["USER"] = variables["LOGNAME"] = base.user;
  for (const auto& [name, value] : start.command.environment) variables[name] = value;
  variables["RM_TASK_ID"] = start.key.task;
  variables["RM_FRAMEWORK_ID"] = to_string(start.key.framework);
  variables["RM_SANDBOX"] = variables["MESOS_SANDBOX"] = start.sandbox;
  variables["RM_SHEPHERD_ID"] = base.instance;
  return variables;
}

std::vector<std::string> candidates(const std::string& program, std::string_view path) {
  if (program.find('/') != std::string::npos) return {program};
  std::vector<std::string> found;
  for (;;) {
    const std::size_t end = path.find(':');
    const std::string_view directory = path.substr(0, end);
    // An empty entry means the working directory.
    found.push_back(directory.empty() ? "./" + program : std::string(directory) + "/" + program);
    if (end == std::string_view::npos) return found;
    path.remove_prefix(end + 1);
  }
}

std::vector<unsigned long> mask_of(const std::vector<std::uint32_t>& cpus) {
  constexpr std::uint32_t bits = 8 * sizeof(unsigned long);
  std::vector<unsigned long> mask;
  for (const std::uint32_t cpu : cpus) {
    if (mask.size() <= cpu / bits) mask.resize(cpu / bits + 1);
    mask[cpu / bits] |= 1UL << (cpu % bits);
  }
  return mask;
}

/// The dynamic loader obeys the task's LD_ variables, which are meant for the command alone: with
/// its libraries rm-fetch might not even start.
void set_aside_loader_variables(Variables& variables) {
  Variables renamed;
  for (auto& [name, value] : variables) {
    const bool loader = name.rfind("LD_", 0) == 0;
    renamed[loader ? std::string(fetch_kept_prefix) + name : name] = std::move(value);
  }
  variables = std::move(renamed);
}

Result<void> put_fetch_in_front(const Command& command, const FetchSetup& fetch,
                                Variables& variables, LaunchPlan& plan) {
  std::string text = print_fetch_plan({command.fetch, command.working_directory, fetch.bytes_max});
  if (text.size() > fetch_plan_bytes_max) {
    return fail(ErrorCode::invalid_argument, "fetch: " + std::to_string(command.fetch.size()) +
                                                 " files take " + std::to_string(text.size()) +
                                                 " bytes to tell, at most " +
                                                 std::to_string(fetch_plan_bytes_max));
  }
  set_aside_loader_variables(variables);
  variables[std::string(fetch_plan_variable)] = std::move(text);
  plan.fetches = true;
  plan.working_directory.clear();
  plan.programs = {fetch.program};
  plan.arguments.insert(plan.arguments.begin(), {"rm-fetch", "--"});
  return {};
}

}  // namespace

BaseEnvironment base_environment(const char* const* environment, std::uint64_t instance) {
  BaseEnvironment base;
  base.instance = instance_text(instance);
  for (; environment != nullptr && *environment != nullptr; ++environment) {
    const std::string_view entry(*environment);
    const std::size_t equals = entry.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view name = entry.substr(0, equals);
    const std::string value(entry.substr(equals + 1));
    if (name == "PATH" && !value.empty()) base.path = value;
    if (name == "USER") base.user = value;
    if (name == "HOME") base.home = value;
    if (name == "LANG" || name == "LC_ALL" || name == "TZ") base.kept[std::string(name)] = value;
  }
  return base;
}

Result<LaunchPlan> plan_launch(const TaskStart& start, const BaseEnvironment& base,
                               const FetchSetup& fetch) {
  if (auto ok = check(start); !ok) return tl::unexpected<Error>(ok.error());
  const Command& command = start.command;
  Variables variables = variables_of(start, base);
  LaunchPlan plan;
  plan.sandbox = start.sandbox;
  plan.working_directory = command.working_directory;
  plan.cpu_mask = mask_of(start.cpus);
  if (command.shell) {
    plan.programs = {"/bin/sh"};
    plan.arguments = {"/bin/sh", "-c", command.value};
  } else {
    plan.programs = candidates(command.value, variables.at("PATH"));
    plan.arguments = {command.value};
    plan.arguments.insert(plan.arguments.end(), command.arguments.begin(), command.arguments.end());
  }
  if (!command.fetch.empty()) {
    if (auto ok = put_fetch_in_front(command, fetch, variables, plan); !ok) {
      return tl::unexpected<Error>(ok.error());
    }
  }
  plan.environment.reserve(variables.size());
  for (const auto& [name, value] : variables) plan.environment.push_back(name + "=" + value);
  return plan;
}

std::string instance_text(std::uint64_t instance) {
  std::string text(16, '0');
  for (std::size_t i = 0; i < 16; ++i) {
    text[15 - i] = "0123456789abcdef"[(instance >> (4 * i)) & 0xf];
  }
  return text;
}

}  // namespace librm::shepherd
