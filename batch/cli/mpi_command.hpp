// MPI programs: a job that runs a program becomes one that runs ranks of it under mpirun.
#pragma once

#include "json_view.hpp"

namespace batch::cli {

inline constexpr unsigned mpi_ranks_max = 4096;

/// Puts Open MPI's mpirun before `job["argv"]`, multiplies `job["cpus"]` (of one rank; 1 if not
/// given) by `ranks`, 1..mpi_ranks_max, and adds what mpirun needs to the environment; what the job
/// sets itself stays. All ranks are on the job's node, within the processors that it is bound to,
/// and nothing is started through ssh or another resource manager.
void run_under_mpirun(unsigned ranks, Json& job);

}  // namespace batch::cli
