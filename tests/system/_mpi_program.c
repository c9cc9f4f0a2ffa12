/* What mpi_test.py runs: sums over ranks, a rank that fails, ranks that never end. */
#define _GNU_SOURCE
#include <mpi.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int count_cpus(void) {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : -1;
}

int main(int argc, char** argv) {
  int rank, size, sum;
  MPI_Init(&argc, &argv);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  int mine = rank + 1;
  MPI_Allreduce(&mine, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
  printf("rank %d of %d sum %d cpus %d pid %d group %d session %d\n", rank, size, sum,
         count_cpus(), (int)getpid(), (int)getpgid(0), (int)getsid(0));
  fflush(stdout);
  if (argc > 1 && strcmp(argv[1], "stubborn") == 0) {
    signal(SIGTERM, SIG_IGN);
    signal(SIGCONT, SIG_IGN);
  }
  if (argc > 1 && strcmp(argv[1], "fail") != 0) {
    for (;;) pause();
  }
  if (argc > 2 && rank == size - 1) exit(atoi(argv[2]));
  if (argc > 2) {
    for (;;) pause();
  }
  MPI_Finalize();
  return 0;
}
