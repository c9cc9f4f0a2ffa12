// The options that describe a job, alike for run and submit, and the JSON that they become.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "json_view.hpp"
#include "librm/base/result.hpp"

namespace CLI {
class App;
}

namespace batch::cli {

/// What was given on the command line; what was not stays as the server or the file has it.
struct JobOptions {
  std::string name;
  std::string array;
  std::optional<double> cpus;  ///< of each rank, with mpi
  bool mpi = false;
  std::optional<unsigned> ranks;
  std::string mem;
  std::string disk;
  std::optional<double> gpus;
  std::string time;
  std::optional<unsigned> retries;
  std::string retry_delay;
  std::string chdir;
  std::vector<std::string> env;
  std::string owner;
  std::string role;
  std::optional<int> priority;
  bool hold = false;
  std::vector<std::string> after_ok;
  std::vector<std::string> after_any;
  std::vector<std::string> after_notok;
  std::vector<std::string> after_start;
  std::vector<std::string> after_corr;
  std::string on_dep_fail;
  std::string lost;
  std::string fence_after;
  std::vector<std::string> constraints;
  std::vector<std::string> labels;
};

void define_job_options(CLI::App& app, JobOptions& options);

/// Sets on `job` what the options name; env, labels, constraints and parents are added.
librm::Result<void> apply_job_options(const JobOptions& options, Json& job);

/// A job that runs `argv`, or ranks of it, in this directory unless the options name another.
librm::Result<Json> job_of_command(const JobOptions& options, const std::vector<std::string>& argv);
/// The jobs of a job file (.toml, .json), or of one executable script with its arguments.
librm::Result<Json> jobs_of_file(const JobOptions& options, const std::vector<std::string>& given);

}  // namespace batch::cli
