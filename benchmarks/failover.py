#!/usr/bin/python3
"""Time from the SIGKILL of the leading master to the start of the first task by the next one.

    benchmarks/failover.py [--kills N] [--session 1s]

Three masters, one ZooKeeper server with ticks of 250 ms, one PostgreSQL, two agents, all on this
machine. Before each kill the cluster is full, so that the task is one that waited; what counts is
when that task itself says that it started. Fails where a task starts twice or is lost.
"""

import argparse
import os
import pathlib
import statistics
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "system"))
os.environ.setdefault("RM_BIN_DIR", str(ROOT / "build" / "bin"))
from _cluster import wait_until  # noqa: E402
from _masters import Masters  # noqa: E402


def note(log, after="true"):
    return f'echo "$RM_TASK_ID $(date +%s.%N)" >> {log}; {after}'


def submit(cluster, job, key):
    status, answer = cluster.request("POST", "/v1/jobs", {"jobs": [job]}, {"Idempotency-Key": key})
    assert status < 300, (status, answer)
    return answer["jobs"][0]["id"]


def one_kill(cluster, log, n):
    """Seconds to the task's start, to the leader's first answer, and to the agents' return."""
    held = [submit(cluster, {"name": f"hold-{n}-{i}", "command": f"until [ -e {log}.{n} ]; do "
                             "sleep 0.02; done", "cpus": 4, "mem": 16}, f"hold-{n}-{i}")
            for i in range(2)]
    wait_until(lambda: cluster.request("GET", "/v1/state")[1]["tasks"]["live"] == 2, "it is full")
    waiting = submit(cluster, {"name": f"next-{n}", "command": note(log), "cpus": 4, "mem": 16},
                     f"next-{n}")
    daemon, _, _ = cluster.wait_leader()
    killed = time.time()
    daemon.kill()
    pathlib.Path(f"{log}.{n}").touch()
    cluster.wait_leader(but=daemon)
    answers = time.time() - killed
    wait_until(lambda: cluster.connected() == 2, "the agents are back")
    back = time.time() - killed
    for job in [*held, waiting]:
        wait_until(lambda job=job: cluster.request("GET", f"/v1/jobs/{job}")[1]["state"] ==
                   "finished", f"job {job} finishes")
    starts = [line.split() for line in log.read_text().splitlines()
              if line.startswith(f"{waiting}.")]
    assert len(starts) == 1, (waiting, starts)
    daemon.start()
    wait_until(lambda: len(cluster.addresses()) == 3, "three masters again")
    return float(starts[0][1]) - killed, answers, back


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--session", default="1s")
    options = parser.parse_args()
    with Masters(session=options.session) as cluster:
        log = cluster.directory / "starts.log"
        found = [one_kill(cluster, log, n) for n in range(options.kills)]
    for name, times in zip(("first task started", "leader answers", "all agents back"),
                           zip(*found)):
        print(f"{name:20} median {statistics.median(times):5.2f} s, worst {max(times):5.2f} s of "
              f"{len(times)} kills")


if __name__ == "__main__":
    main()
