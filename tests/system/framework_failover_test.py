#!/usr/bin/python3
"""A framework dies, and its master with it: its tasks run on for its failover timeout, which the next
master counts, and are its own again when it returns in time; when it does not, they are killed."""

import json
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from _cluster import BIN, Cluster, wait_until  # noqa: E402
from _framework import Framework  # noqa: E402


def alive(pid):
    try:
        return "State:\tZ" not in pathlib.Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def start_task(cluster, framework):
    """Its pid; it ends only when it is killed."""
    pid_file = cluster.directory / f"{framework.id}.pid"
    framework.launch({"id": "task", "command": f"echo $$ >> {pid_file}; exec sleep 1000"})
    framework.state("task", "running")
    wait_until(lambda: pid_file.exists() and pid_file.read_text().endswith("\n"), "it has started")
    return pid_file, int(pid_file.read_text())


def kill(framework):
    framework.process.kill()
    framework.process.wait()


def status(cluster, framework_id):
    frameworks = {f["id"]: f for f in cluster.get("/v1/frameworks")["frameworks"]}
    return frameworks[framework_id]["status"]


def main():
    with Cluster(agents=1) as cluster:
        with Framework(cluster, 3600) as patient, Framework(cluster, 3) as hasty:
            kept, kept_pid = start_task(cluster, patient)
            lost, lost_pid = start_task(cluster, hasty)
            kill(patient)
            kill(hasty)
            cluster.master.kill()
        # The ports may be others: agents find them in the master's directory.
        cluster.master.start()
        wait_until(cluster.connected, "the agent is back")
        wait_until(lambda: status(cluster, hasty.id) == "completed", "its time is over")
        wait_until(lambda: not alive(lost_pid), "what it ran is killed")
        assert status(cluster, patient.id) == "active" and alive(kept_pid)

        with Framework(cluster, 3600, patient.id) as returned:
            assert returned.id == patient.id
            returned.do(reconcile=True)
            returned.state("task", "running")
            returned.do(kill="task")
            assert returned.end("task")["state"] == "killed"
        assert not alive(kept_pid)
        for pid_file in (kept, lost):
            assert len(pid_file.read_text().split()) == 1, "nothing started twice"

        host, port = cluster.master.field("cluster").rsplit(":", 1)
        with subprocess.Popen([BIN / "rm-test-framework", host, port, "3", hasty.id], text=True,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE) as late:
            said = json.loads(late.stdout.readline())
        assert said == {"refused": f"framework {hasty.id}: has ended; subscribe without an id"}, said


if __name__ == "__main__":
    main()
