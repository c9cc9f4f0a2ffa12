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
from _starts import check_starts, pipeline, starts  # noqa: E402

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
        check_starts(log, jobs)
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
