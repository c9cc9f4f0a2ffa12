// What `--mpi` makes of a job.
#include "cli/mpi_command.hpp"

#include <gtest/gtest.h>

namespace batch::cli {
namespace {

TEST(MpiCommand, RanksOfTheProgramRunOnTheJobsNode) {
  Json job{{"argv", {"./solver", "a b"}}, {"workdir", "/data"}};
  run_under_mpirun(4, job);
  EXPECT_EQ(job["argv"], Json({"mpirun", "-n", "4", "--host", "localhost:4", "--bind-to", "none",
                               "./solver", "a b"}));
  EXPECT_EQ(job["cpus"], 4.0);
  EXPECT_EQ(job["workdir"], "/data");
  EXPECT_EQ(job["env"]["OMPI_MCA_plm"], "isolated");
}

TEST(MpiCommand, CpusAreOfEachRank) {
  Json job{{"argv", {"./solver"}}, {"cpus", 0.5}};
  run_under_mpirun(3, job);
  EXPECT_EQ(job["cpus"], 1.5);
}

TEST(MpiCommand, WhatTheJobSetsStays) {
  Json job{{"argv", {"./solver"}}, {"env", {{"OMPI_MCA_btl", "self,tcp"}, {"MESH", "fine"}}}};
  run_under_mpirun(2, job);
  EXPECT_EQ(job["env"]["OMPI_MCA_btl"], "self,tcp");
  EXPECT_EQ(job["env"]["MESH"], "fine");
  EXPECT_EQ(job["env"]["OMPI_MCA_pml"], "ob1");
}

}  // namespace
}  // namespace batch::cli
