// From options to the fields of a submission.
#include "job_options.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "batch/edge/job_file.hpp"
#include "batch/edge/job_json.hpp"
#include "mpi_command.hpp"

namespace batch::cli {

using librm::ErrorCode;
using librm::fail;
using librm::Result;

namespace {

std::string current_directory() {
  std::error_code ignored;
  return std::filesystem::current_path(ignored).string();
}

/// Adds `K=V` pairs to the object `job[field]`; a bare `K` takes the caller's own variable.
Result<void> add_pairs(Json& job, const char* field, const char* option,
                       const std::vector<std::string>& pairs, bool from_environment) {
  for (const std::string& pair : pairs) {
    const std::size_t equals = pair.find('=');
    if (equals == 0 || (equals == pair.npos && !from_environment)) {
      return fail(ErrorCode::invalid_argument,
                  std::string(option) + ": '" + pair + "' is not of the form NAME=VALUE");
    }
    const std::string key = pair.substr(0, equals);
    const char* variable = equals == pair.npos ? std::getenv(key.c_str()) : nullptr;
    if (equals == pair.npos && variable == nullptr) {
      return fail(ErrorCode::invalid_argument,
                  std::string(option) + ": " + key + " is not set here; give " + key + "=VALUE");
    }
    job[field][key] = equals == pair.npos ? std::string(variable) : pair.substr(equals + 1);
  }
  return {};
}

void add_parents(Json& job, const char* field, const std::vector<std::string>& parents) {
  for (const std::string& list : parents) {
    for (std::string& parent : split(list, ',')) job[field].push_back(std::move(parent));
  }
}

/// A bare number of --time is minutes, as in Slurm and Flux; all else is for the server to read.
Json time_limit(const std::string& text) {
  if (text.find_first_not_of("0123456789") == text.npos && text.size() < 10) {
    return std::stoll(text) * 60;
  }
  return text;
}

librm::Error error_of(const InputError& input) {
  librm::Error error = input.error;
  if (input.fields.size() < 2) return error;  // the message is the only field's
  for (const FieldError& field : input.fields) error.message += '\n' + field.detail;
  return error;
}

Result<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) return fail(ErrorCode::invalid_argument, path + ": cannot be read");
  return text.str();
}

}  // namespace

void define_job_options(CLI::App& app, JobOptions& o) {
  const auto group = "What it needs";
  app.add_option("-c,--cpus", o.cpus,
                 "CPUs, of each rank with --mpi; fractions are allowed; 1 if not given")
      ->type_name("N")
      ->group(group);
  app.add_option("--mem", o.mem, "memory, such as 512M or 2G; a bare number is MiB")
      ->type_name("AMOUNT")
      ->group(group);
  app.add_option("--disk", o.disk, "disk, likewise")->type_name("AMOUNT")->group(group);
  app.add_option("-G,--gpus", o.gpus, "GPUs")->type_name("N")->group(group);
  app.add_option(
         "-t,--time", o.time,
         "ends the job after this: 90s, 15m, 2h, 1-12:00, PT1H30M; a bare number is minutes")
      ->type_name("SPAN")
      ->group(group);
  app.add_option("-C,--constraint", o.constraints, "only nodes with this attribute; repeatable")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false)
      ->group(group);

  const auto mpi =
      app.add_flag("--mpi", o.mpi, "an MPI program: runs ranks of it under mpirun")->group(group);
  app.add_option("-n,--ranks", o.ranks, "how many, with --mpi, all on one node; 1 if not given")
      ->type_name("N")
      ->check(CLI::Range(1u, mpi_ranks_max))
      ->needs(mpi)
      ->group(group);

  const auto job = "What it is";
  app.add_option("-J,--name", o.name, "its name, by which others may refer to it")
      ->type_name("NAME")
      ->group(job);
  app.add_option("-D,--chdir", o.chdir, "working directory; the current one if not given")
      ->type_name("DIR")
      ->group(job);
  app.add_option("--env", o.env, "sets a variable, or passes on your own NAME; repeatable")
      ->type_name("NAME[=VALUE]")
      ->allow_extra_args(false)
      ->group(job);
  app.add_option("--label", o.labels, "marks it; repeatable")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false)
      ->group(job);
  app.add_option("--owner", o.owner, "whom it is shown to belong to")
      ->type_name("NAME")
      ->group(job);
  app.add_option("--role", o.role, "role on whose account it runs")->type_name("ROLE")->group(job);
  app.add_option("--priority", o.priority, "higher starts first")->type_name("N")->group(job);

  app.add_option("--array", o.array,
                 "runs it once for each index, which is in RM_ARRAY_INDEX: 0-99, 1,3,5-9, 0-99:2; "
                 "0-99%10 for at most 10 at the same time")
      ->type_name("INDICES")
      ->group(job);

  const auto order = "When it runs";
  app.add_option("--after-ok", o.after_ok, "starts once these have finished; ids or names, a,b")
      ->type_name("JOB")
      ->allow_extra_args(false)
      ->group(order);
  app.add_option("--after-any", o.after_any, "once these have ended, however")
      ->type_name("JOB")
      ->allow_extra_args(false)
      ->group(order);
  app.add_option("--after-notok", o.after_notok, "once these have failed")
      ->type_name("JOB")
      ->allow_extra_args(false)
      ->group(order);
  app.add_option("--after-start", o.after_start, "once these run")
      ->type_name("JOB")
      ->allow_extra_args(false)
      ->group(order);
  app.add_option("--on-dep-fail", o.on_dep_fail,
                 "what happens when that can never come true; cancel if not given")
      ->type_name("cancel|hold|run")
      ->check(CLI::IsMember({"cancel", "hold", "run"}))
      ->group(order);
  app.add_option("--after-corr", o.after_corr,
                 "each element of an array once the same element of these arrays has finished")
      ->type_name("JOB")
      ->allow_extra_args(false)
      ->group(order);
  app.add_flag("-H,--hold", o.hold, "is submitted, but not started until released")->group(order);

  const auto failure = "When it fails";
  app.add_option("--retries", o.retries, "further attempts; 0 if not given")
      ->type_name("N")
      ->group(failure);
  app.add_option("--retry-delay", o.retry_delay, "before each of them")
      ->type_name("SPAN")
      ->group(failure);
  app.add_option(
         "--lost", o.lost,
         "when its node is unreachable: wait (at most one attempt at a time; if not given), "
         "fence (killed there, then run anew), rerun (may overlap)")
      ->type_name("wait|fence|rerun")
      ->check(CLI::IsMember({"wait", "fence", "rerun"}))
      ->group(failure);
  app.add_option("--fence-after", o.fence_after, "when a fenced job is killed")
      ->type_name("SPAN")
      ->group(failure);
}

Result<void> apply_job_options(const JobOptions& o, Json& job) {
  const auto set = [&](const char* field, const std::string& value) {
    if (!value.empty()) job[field] = value;
  };
  set("name", o.name);
  set("mem", o.mem);
  set("disk", o.disk);
  set("array", o.array);
  set("retry_delay", o.retry_delay);
  set("owner", o.owner);
  set("role", o.role);
  set("on_dependency_failed", o.on_dep_fail);
  set("lost", o.lost);
  set("fence_after", o.fence_after);
  if (o.cpus) job["cpus"] = *o.cpus;
  if (o.gpus) job["gpus"] = *o.gpus;
  if (o.retries) job["retries"] = *o.retries;
  if (o.priority) job["priority"] = *o.priority;
  if (!o.time.empty()) job["time"] = time_limit(o.time);
  if (o.hold) job["hold"] = true;
  if (!o.chdir.empty()) {
    job["workdir"] = std::filesystem::path(o.chdir).is_absolute()
                         ? o.chdir
                         : current_directory() + '/' + o.chdir;
  }
  add_parents(job, "after_ok", o.after_ok);
  add_parents(job, "after_any", o.after_any);
  add_parents(job, "after_notok", o.after_notok);
  add_parents(job, "after_start", o.after_start);
  add_parents(job, "after_corr", o.after_corr);
  if (auto added = add_pairs(job, "env", "--env", o.env, true); !added) return added;
  if (auto added = add_pairs(job, "labels", "--label", o.labels, false); !added) return added;
  return add_pairs(job, "constraints", "--constraint", o.constraints, false);
}

Result<Json> job_of_command(const JobOptions& options, const std::vector<std::string>& argv) {
  Json job{{"argv", argv}, {"workdir", current_directory()}};
  if (auto applied = apply_job_options(options, job); !applied) {
    return tl::unexpected(applied.error());
  }
  if (options.mpi) run_under_mpirun(options.ranks.value_or(1), job);
  return job;
}

Result<Json> jobs_of_file(const JobOptions& options, const std::vector<std::string>& given) {
  const std::string& path = given.front();
  const std::string extension = std::filesystem::path(path).extension().string();
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0 || S_ISDIR(status.st_mode)) {
    return fail(ErrorCode::invalid_argument,
                path + ": no such file; to run a command, put -- before it");
  }
  if (extension == ".toml" || extension == ".json") {
    if (options.mpi) {
      return fail(ErrorCode::invalid_argument,
                  "--mpi: is for a program; a job file names mpirun in its argv");
    }
    if (given.size() > 1) {
      return fail(ErrorCode::invalid_argument, "a job file takes no arguments: " + given[1]);
    }
    const auto text = read_file(path);
    if (!text) return tl::unexpected(text.error());
    const auto specs = job_file_parse(*text, path);
    if (!specs) return tl::unexpected(error_of(specs.error()));
    // One map of fields exists, so the options are laid over what it makes.
    Json jobs = Json::parse(job_specs_to_json(*specs)).at("jobs");
    if (jobs.size() > 1 && !options.name.empty()) {
      return fail(ErrorCode::invalid_argument,
                  path + " has " + std::to_string(jobs.size()) + " jobs; --name is for one");
    }
    for (Json& job : jobs) {
      if (auto applied = apply_job_options(options, job); !applied) {
        return tl::unexpected(applied.error());
      }
    }
    return jobs;
  }
  if (::access(path.c_str(), X_OK) != 0) {
    return fail(ErrorCode::invalid_argument,
                path + ": not executable; chmod +x it, or submit -- sh " + path);
  }
  std::vector<std::string> argv = given;
  argv.front() = std::filesystem::absolute(path).string();
  auto job = job_of_command(options, argv);
  if (!job) return job;
  return Json::array({std::move(*job)});
}

}  // namespace batch::cli
