// mpirun's command line and environment, for one node.
#include "mpi_command.hpp"

#include <array>
#include <string>
#include <utility>

namespace batch::cli {
namespace {

// Each of these may be overridden by --env.
constexpr std::array<std::pair<const char*, const char*>, 6> environment{{
    // Who may submit as root has decided so; mpirun asks for both.
    {"OMPI_ALLOW_RUN_AS_ROOT", "1"},
    {"OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"},
    // Ranks are started by mpirun itself, never by ssh or by Slurm around us.
    {"OMPI_MCA_plm", "isolated"},
    {"OMPI_MCA_oob_tcp_if_include", "lo"},
    // One node needs shared memory only; looking for networks takes three times as long as this.
    {"OMPI_MCA_pml", "ob1"},
    {"OMPI_MCA_btl", "self,vader"},
}};

double cpus_of_rank(const Json& job) {
  const auto found = job.find("cpus");
  return found == job.end() ? 1.0 : found->get<double>();
}

}  // namespace

void run_under_mpirun(unsigned ranks, Json& job) {
  const std::string count = std::to_string(ranks);
  // Ranks stay within what the agent has bound the task to: mpirun would bind them to processors
  // of its own choice, which may be other tasks'.
  Json argv{"mpirun", "-n", count, "--host", "localhost:" + count, "--bind-to", "none"};
  for (const Json& word : job.at("argv")) argv.push_back(word);
  job["argv"] = std::move(argv);
  job["cpus"] = cpus_of_rank(job) * ranks;
  Json& variables = job["env"];
  for (const auto& [name, value] : environment) {
    if (!variables.contains(name)) variables[name] = value;
  }
}

}  // namespace batch::cli
