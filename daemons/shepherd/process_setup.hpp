// What a daemon does to itself before it works: session, descriptors, signals, lock.
#pragma once

#include <sys/resource.h>

#include <string>

#include "librm/base/result.hpp"
#include "shepherd/descriptor.hpp"
#include "shepherd/options.hpp"

namespace librm::shepherd {

/// Own session where possible, no inherited descriptor but stderr, stdin and stdout /dev/null,
/// every signal blocked and at its default, so that children inherit defaults without work. One
/// that resumes has its session already, and keeps the descriptors that it was left.
Result<void> set_up_process(const Options& options);

/// Raises this process's limit of open files (each running task takes one) as far as it may, and
/// returns the limit that was there, for the tasks.
rlimit raise_open_files();

/// Holds `<work_dir>/shepherd.lock` for the life of the descriptor. Fails with `already_exists`
/// where another shepherd lives, naming its pid. A dead one's last children, which hold the lock
/// until they have executed, are waited for.
Result<Descriptor> lock_work_dir(const std::string& work_dir);

/// `<work_dir>/shepherd.pid`
Result<void> write_pid_file(const std::string& work_dir);

/// One line with the time on stderr.
void log_line(const std::string& text);

}  // namespace librm::shepherd
