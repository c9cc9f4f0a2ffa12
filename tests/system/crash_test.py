#!/usr/bin/python3
"""Kills master, agent and shepherd in the middle of a pipeline: nothing is lost, nothing runs twice.

Three records are compared afterwards: what the store says of every job, what the agents list, and
what each task wrote itself when it started.
"""

import collections
import os
import pathlib
import signal
import sys
import urllib.error

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from _cluster import Cluster, is_shepherd, wait_until  # noqa: E402

WIDTH = 12


def pipeline(log, prefix, lost):
    """Fan-out and fan-in; every task notes its own start first, then works for a moment."""
    note = f'echo "$RM_TASK_ID" >> {log}; '
    work = note + "sleep 0.4"
    jobs = [{"name": f"{prefix}-extract", "command": note + "sleep 0.2"}]
    for n in range(WIDTH):
        jobs.append({"name": f"{prefix}-transform-{n}", "command": work, "lost": lost,
                     "after_ok": [f"{prefix}-extract"]})
    jobs.append({"name": f"{prefix}-load", "command": note + "true",
                 "after_ok": [f"{prefix}-transform-{n}" for n in range(WIDTH)]})
    for job in jobs:
        job.update(cpus=1, mem=64, lost=lost)
    return jobs


def starts(log):
    return log.read_text().split() if log.exists() else []


def check_starts(cluster, log, jobs):
    """Each attempt that the store knows as started did start once, and nothing else ever did."""
    counted = collections.Counter(starts(log))
    twice = {task: n for task, n in counted.items() if n > 1}
    assert not twice, f"started twice: {twice}"
    known = {a["task"]: a for job in jobs for a in job["attempts"]}
    strangers = set(counted) - set(known)
    assert not strangers, f"started, and unknown to the store: {strangers}"
    for task, attempt in known.items():
        # What was killed or lost may have been so before its first word.
        if attempt["state"] in ("finished", "failed"):
            assert counted[task] == 1, f"{task} is {attempt['state']}, and never started"
        if attempt["state"] == "dropped":
            assert counted[task] == 0, f"{task} is dropped, and did start"


def check_agents_are_empty(cluster):
    """Nothing is left at the agents once every end is acknowledged."""
    wait_until(lambda: cluster.get("/v1/state")["tasks"]["live"] == 0, "no task is live")
    for node in cluster.get("/v1/nodes")["nodes"]:
        assert node["tasks"] == 0, node


def run(victim, lost="wait", expect_all_finished=True):
    with Cluster(agents=2) as cluster:
        log = cluster.directory / "starts.log"
        ids = cluster.submit_stubbornly(*pipeline(log, victim, lost), key=f"{victim}-1")
        wait_until(lambda: len(starts(log)) >= 3, "the fan-out runs")
        kill(cluster, victim)
        # Acknowledged while things are broken counts as much.
        more = cluster.submit_stubbornly(*pipeline(log, victim + "-again", lost),
                                         key=f"{victim}-2")
        jobs = cluster.wait_terminal(ids + more)
        states = collections.Counter(job["state"] for job in jobs)
        if expect_all_finished:
            assert states == {"finished": len(jobs)}, [
                (j["name"], j["state"], j["reason"]) for j in jobs if j["state"] != "finished"]
        else:
            wrong = [j for j in jobs if j["state"] == "failed" and "unknown" not in j["reason"]]
            assert not wrong and states["failed"] >= 1, [(j["name"], j["reason"]) for j in jobs]
        again = cluster.submit_stubbornly(*pipeline(log, victim, lost), key=f"{victim}-1")
        assert again == ids, "a repeated submission is answered with the same jobs"
        check_starts(cluster, log, jobs)
        check_agents_are_empty(cluster)
        print(f"{victim} killed, lost={lost}: {dict(states)}, {len(starts(log))} starts, none twice")


def kill(cluster, victim):
    if victim == "master":
        cluster.master.kill()
        cluster.master.start()
    elif victim == "agent":
        for agent in cluster.agents:
            agent.kill()
        for agent in cluster.agents:
            agent.start()
    else:
        for n in (1, 2):
            pid = cluster.shepherd_pid(n)
            assert is_shepherd(pid), f"agent {n} has no shepherd"
            os.kill(pid, signal.SIGKILL)


def main():
    run("master")
    run("agent")
    run("shepherd", lost="rerun")
    run("shepherd", lost="wait", expect_all_finished=False)
    print("4 passed, 0 failed")


if __name__ == "__main__":
    main()
