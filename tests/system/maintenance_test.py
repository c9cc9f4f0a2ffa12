#!/usr/bin/python3
"""Drains real agents: jobs move or finish, a restart of the master changes nothing, all is undone."""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from _cluster import Cluster, wait_until  # noqa: E402


def node_of(cluster, job_id):
    """Where the job runs, once it does."""
    def running():
        job = cluster.job(job_id)
        return job["node"]["hostname"] if job["task"] and task_state(job) == "running" else None
    return wait_until(running, f"job {job_id} runs")


def task_state(job):
    return job["attempts"][-1]["state"] if job["attempts"] else ""


def service(cluster, host):
    node = next(n for n in cluster.get("/v1/nodes")["nodes"] if n["hostname"] == host)
    return node["service"]


def wait_service(cluster, host, wanted):
    wait_until(lambda: service(cluster, host) == wanted, f"{host} is {wanted}")


def gate(cluster, name):
    """A command that runs until the test opens its gate."""
    path = cluster.directory / name
    return path, f"while ! test -e {path}; do sleep 0.05; done"


def check_requeue_moves_a_job(cluster):
    path, command = gate(cluster, "requeue")
    [job] = cluster.submit({"command": command})
    first = node_of(cluster, job)
    plan = cluster.rmctl("node", "drain", first, "--mode", "requeue", "--dry-run")
    assert f"kills task {job}.1.1 " in plan and "agent_draining" in plan, plan
    cluster.rmctl("node", "drain", first, "--mode", "requeue", "--reason", "new disk")
    wait_service(cluster, first, "drained")
    assert node_of(cluster, job) != first
    path.touch()
    [ended] = cluster.wait_terminal([job])
    assert ended["state"] == "finished", ended
    attempts = ended["attempts"]
    assert [a["state"] for a in attempts] == ["killed", "finished"], attempts
    assert attempts[0]["reason"] == "agent_draining", attempts
    cluster.rmctl("node", "undrain", first)
    assert service(cluster, first) == "normal"


def check_wait_lets_a_job_finish(cluster):
    path, command = gate(cluster, "wait")
    [job] = cluster.submit({"command": command})
    host = node_of(cluster, job)
    cluster.rmctl("node", "drain", host)
    shown = cluster.rmctl("node", "show", host)
    assert "no time limit; mode wait has no deadline" in shown, shown
    assert "draining" in cluster.rmctl("node", "list")
    path.touch()
    [ended] = cluster.wait_terminal([job])
    assert ended["state"] == "finished" and len(ended["attempts"]) == 1, ended
    wait_service(cluster, host, "drained")


def check_nothing_starts_there_until_it_is_undone(cluster):
    """Every node is drained: what is submitted waits, and says why."""
    for host in ("node-1", "node-2"):
        cluster.rmctl("node", "drain", host, "--reason", "new disk")
        wait_service(cluster, host, "drained")
    [job] = cluster.submit({"command": "true"})
    why = cluster.get(f"/v1/jobs/{job}/why")
    assert "agent is drained: new disk" in json.dumps(why), why
    cluster.rmctl("node", "undrain", "node-1", "node-2")
    assert cluster.wait_terminal([job])[0]["state"] == "finished"


def check_a_drain_outlives_the_master(cluster):
    path, command = gate(cluster, "restart")
    [job] = cluster.submit({"command": command})
    host = node_of(cluster, job)
    cluster.rmctl("node", "drain", host)
    cluster.master.kill()
    cluster.master.start()
    wait_until(lambda: len(cluster.connected()) == 2, "both agents are back")
    assert service(cluster, host) == "draining"
    assert node_of(cluster, job) == host, "it was not touched"
    cluster.rmctl("node", "drain", host, "--mode", "requeue")
    cluster.master.kill()
    cluster.master.start()
    wait_service(cluster, host, "drained")
    assert node_of(cluster, job) != host
    path.touch()
    assert cluster.wait_terminal([job])[0]["state"] == "finished"


def check_a_node_that_is_down_comes_back(cluster):
    host = next(h for h in ("node-1", "node-2") if service(cluster, h) == "drained")
    agent = cluster.agents[int(host[-1]) - 1]
    cluster.rmctl("node", "down", host)
    wait_until(lambda: len(cluster.connected()) == 1, "it is sent away")
    assert agent.process.poll() is None, "it goes on asking"
    cluster.rmctl("node", "up", host)
    wait_until(lambda: len(cluster.connected()) == 2, "it is taken in again")
    assert service(cluster, host) == "normal"


def check_windows(cluster):
    cluster.rmctl("maintenance", "set", "kernel", "node-1", "node-2", "--start",
                  "2100-01-01T00:00:00Z", "--duration", "PT4H")
    path, command = gate(cluster, "window")
    [job] = cluster.submit({"command": command})
    node_of(cluster, job)
    def declined():
        return [o for o in cluster.get("/v1/maintenance")["inverse_offers"]
                if o["answer"] == "declined" and o["reason"] == f"job {job} has no time limit"]
    wait_until(declined, "the batch front end says that it cannot promise")
    shown = cluster.rmctl("maintenance", "show")
    assert "kernel" in shown and "declined" in shown, shown
    path.touch()
    cluster.wait_terminal([job])
    wait_until(lambda: not cluster.get("/v1/maintenance")["inverse_offers"], "nobody is asked")
    cluster.rmctl("maintenance", "clear", "kernel")
    assert cluster.get("/v1/maintenance")["windows"] == []


def main():
    with Cluster(agents=2) as cluster:
        for check in (check_requeue_moves_a_job, check_wait_lets_a_job_finish,
                      check_nothing_starts_there_until_it_is_undone,
                      check_a_drain_outlives_the_master, check_a_node_that_is_down_comes_back,
                      check_windows):
            check(cluster)
            print(f"ok {check.__name__}")


if __name__ == "__main__":
    main()
