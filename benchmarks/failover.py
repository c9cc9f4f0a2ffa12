#!/usr/bin/python3
"""Time from the SIGKILL of the leading master to the start of the first task by the next one, and from
the restart of an agent that was killed to its registration.

    benchmarks/failover.py [--kills N] [--session 1s] [--restarts N]

Three masters, one ZooKeeper server with ticks of 250 ms, one PostgreSQL, two agents, all on this
machine. Before each kill the cluster is full, so that the task is one that waited; what counts is
when that task itself says that it started. Fails where a task starts twice or is lost.

An agent is killed while 100 tasks run under its shepherd, and started at once; what counts is when
the master has it again with all of them. Fails where one of them does not run on.
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
from _cluster import Cluster, wait_until  # noqa: E402
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


def agent_restarts(count):
    """Seconds from the start of the agent's process until the master shows its tasks as running."""
    with Cluster(agents=1, resources="cpus:200;mem:20000") as cluster:
        agent = cluster.agents[0]
        jobs = cluster.submit(*[{"name": f"t-{n}", "command": "exec sleep 1000", "cpus": 1, "mem": 16}
                                for n in range(100)])

        def running():
            tasks = cluster.get("/v1/state")["tasks"]
            return bool(cluster.connected()) and tasks.get("running", 0) == len(jobs)
        wait_until(running, "all tasks run")
        shepherd = cluster.shepherd_pid(1)
        times = []
        for _ in range(count):
            agent.kill()
            wait_until(lambda: not cluster.connected(), "the master has seen it go")
            started = time.monotonic()
            agent.start()
            wait_until(running, "the agent is back with its tasks")
            times.append(time.monotonic() - started)
        assert cluster.shepherd_pid(1) == shepherd
        states = {cluster.job(job)["state"] for job in jobs}
        assert states == {"running"}, states
        cluster.rmctl("cancel", "all")
        cluster.wait_terminal(jobs)
        return times


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--session", default="1s")
    parser.add_argument("--restarts", type=int, default=20)
    options = parser.parse_args()
    restarts = agent_restarts(options.restarts)
    with Masters(session=options.session) as cluster:
        log = cluster.directory / "starts.log"
        found = [one_kill(cluster, log, n) for n in range(options.kills)]
    for name, times in zip(("first task started", "leader answers", "all agents back"),
                           zip(*found)):
        print(f"{name:20} median {statistics.median(times):5.2f} s, worst {max(times):5.2f} s of "
              f"{len(times)} kills")
    print(f"{'agent back':20} median {statistics.median(restarts):5.2f} s, worst "
          f"{max(restarts):5.2f} s of {len(restarts)} restarts")


if __name__ == "__main__":
    main()
