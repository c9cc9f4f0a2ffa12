// Jobs as the command line judges and words them: exit codes, states, commands.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "batch/job.hpp"
#include "json_view.hpp"

namespace batch::cli {

/// The path of one job, or of elements of one: `/v1/jobs/42`, `/v1/jobs/42%5B3-9%5D`.
std::string job_path(const std::string& selector);
/// What goes on naming this job when others come: an id as it was given, else the job's id.
std::string stable_selector(const std::string& selector, const Json& job);

/// `42`, of an array `42[0-99]`, of an element `42_7`: a selector of the same.
std::string id_text(const Json& job);
/// Which job or element it is.
ElementId element_id_of(const Json& job);
/// Of an array, `12/100 finished, 3 running, 1 failed`; else empty.
std::string array_progress(const Json& job);
bool is_over(const Json& job);
/// The job's code, or 128 + signal; 1 where it ended without either and did not finish.
int job_exit_code(const Json& job);
/// `exit 3`, `signal 9 (KILL)` or nothing.
std::string outcome(const Json& job);
/// What there is to say about the state: why it waits, how it ended. May be empty.
std::string remark(const Json& job);
/// `job 42 (count): failed: exit code 3`.
std::string ending(const Json& job);
/// The command with its arguments, escaped; what a shell would split is quoted.
std::string command_line(const Json& job);
/// One job as it is, several as a list.
Json document_of(const std::vector<Json>& jobs);

}  // namespace batch::cli
