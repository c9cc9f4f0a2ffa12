#!/usr/bin/python3
"""MPI programs as jobs: right sums, every rank's output, exit codes, and no rank left behind."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from _cluster import BIN, Cluster, wait_until  # noqa: E402

RANK = re.compile(r"rank (\d) of (\d) sum (\d+) cpus (\d+) pid (\d+) group (\d+) session (\d+)\n")


def missing():
    return [name for name in ("mpicc", "mpirun") if not shutil.which(name)]


def alive(pid):
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat[stat.rindex(")") + 2] not in "ZX"


class Tests:
    def __init__(self, cluster):
        self.cluster = cluster
        self.directory = cluster.directory
        self.program = cluster.directory / "program"
        subprocess.run(["mpicc", "-o", self.program, HERE / "_mpi_program.c"], check=True)

    def rmctl(self, *arguments):
        return subprocess.run([BIN / "rmctl", *map(str, arguments)], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=120, cwd=self.directory,
                              env={**os.environ, "RM_MASTER": self.cluster.url("")})

    def submit(self, *arguments):
        done = self.rmctl("submit", *arguments)
        assert done.returncode == 0, done.stderr
        return int(done.stdout)

    def ranks(self, job, count):
        """What each rank printed, once all have."""
        def printed():
            found = RANK.findall(self.rmctl("logs", job).stdout)
            return found if len(found) == count else None
        return [[int(text) for text in rank] for rank in wait_until(printed, f"{count} ranks run")]

    def test_four_ranks_sum(self):
        done = self.rmctl("run", "-n", 4, "--mpi", "./program")
        assert done.returncode == 0, done.stderr
        ranks = sorted(RANK.findall(done.stdout))
        assert [rank[:3] for rank in ranks] == [(str(r), "4", "10") for r in range(4)], done
        # Four cpus are the job's; each rank is bound to what the job is, and to nothing less.
        job = self.cluster.job("last")
        assert job["request"]["cpus"] == 4 and job["exit_code"] == 0, job
        bound = {rank[3] for rank in ranks}
        assert bound == {str(min(4, len(os.sched_getaffinity(0))))}, ranks
        assert self.rmctl("logs", "last").stdout == done.stdout

    def test_cpus_are_of_each_rank(self):
        job = self.submit("-n", 2, "-c", 1.5, "--mpi", "--", "./program")
        assert self.cluster.wait_terminal([job])[0]["request"]["cpus"] == 3
        assert [rank[1:3] for rank in self.ranks(job, 2)] == [[2, 3]] * 2

    def test_the_exit_code_is_the_failing_ranks(self):
        done = self.rmctl("run", "-n", 3, "--mpi", "--", "./program", "fail", 7)
        assert done.returncode == 7, (done.returncode, done.stderr)
        assert len(RANK.findall(done.stdout)) == 3, done.stdout
        pids = [int(pid) for *_, pid, _, _ in RANK.findall(done.stdout)]
        wait_until(lambda: not any(map(alive, pids)), "the other ranks are gone")

    def ends_with_all_ranks(self, job, end, mode_state):
        ranks = self.ranks(job, 4)
        sessions = {rank[6] for rank in ranks}
        assert len(sessions) == 1, "every rank is in the task's session"
        assert len({rank[5] for rank in ranks}) == 4, "mpirun gives each a group; see shepherd"
        end()
        assert self.cluster.wait_terminal([job])[0]["state"] == mode_state
        wait_until(lambda: not any(alive(rank[4]) for rank in ranks), "no rank is left behind")

    def test_cancel_leaves_no_rank(self):
        job = self.submit("-n", 4, "--mpi", "--", "./program", "forever")
        self.ends_with_all_ranks(job, lambda: self.rmctl("cancel", job), "cancelled")

    def test_cancel_leaves_no_rank_that_ignores_it(self):
        job = self.submit("-n", 4, "--mpi", "--", "./program", "stubborn")
        self.ends_with_all_ranks(job, lambda: self.rmctl("cancel", job), "cancelled")

    def test_the_time_limit_leaves_no_rank(self):
        job = self.submit("-n", 4, "-t", "2s", "--mpi", "--", "./program", "stubborn")
        self.ends_with_all_ranks(job, lambda: None, "failed")

    def test_the_death_of_mpirun_leaves_no_rank(self):
        job = self.submit("-n", 4, "--mpi", "--", "./program", "stubborn")
        leader = self.ranks(job, 4)[0][6]  # mpirun leads the task's session
        self.ends_with_all_ranks(job, lambda: os.kill(leader, signal.SIGKILL), "failed")

    def test_a_node_without_mpirun_says_so(self):
        done = self.rmctl("run", "-n", 2, "--mpi", "--env", f"PATH={self.directory}", "./program")
        assert done.returncode != 0
        assert "mpirun: " in done.stderr, done.stderr
        why = self.rmctl("why", "last").stdout
        assert "mpirun" in why and "failed" in why, why

    def test_wrong_usage_is_refused(self):
        for arguments, text in [
                (["run", "-n", 4, "./program"], "--mpi"),
                (["run", "-n", 0, "--mpi", "./program"], "--ranks: Value 0"),
                (["submit", "--mpi", "jobs.toml"], "--mpi: is for a program")]:
            (self.directory / "jobs.toml").write_text("[[job]]\ncommand = 'true'\n")
            done = self.rmctl(*arguments)
            assert done.returncode == 2 and text in done.stderr, (done.returncode, done.stderr)


def main():
    if missing():
        print(f"skipped: {', '.join(missing())} not found (openmpi-bin, libopenmpi-dev)")
        sys.exit(1 if os.environ.get("CI") == "true" else 77)
    names = [name for name in vars(Tests) if name.startswith("test_")]
    segments = set(pathlib.Path("/dev/shm").glob("vader_segment.*"))
    try:
        with Cluster(agents=1) as cluster:
            tests = Tests(cluster)
            for name in names:
                getattr(tests, name)()
                print(f"ok {name}", flush=True)
    finally:
        # An mpirun that was killed cannot remove its shared memory.
        for segment in set(pathlib.Path("/dev/shm").glob("vader_segment.*")) - segments:
            segment.unlink(missing_ok=True)
    print(f"{len(names)} passed, 0 failed")


if __name__ == "__main__":
    main()
