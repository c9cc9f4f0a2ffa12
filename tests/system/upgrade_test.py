#!/usr/bin/python3
"""Replaces an agent's programs and resources while its tasks run; they keep running, and their ends
are known."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from _cluster import BIN, Cluster, wait_until  # noqa: E402


def install(directory):
    """The agent's programs in files of their own, as a package of another version would bring."""
    directory.mkdir()
    for program in ("rm-agent", "rm-shepherd", "rm-fetch"):
        shutil.copy(BIN / program, directory / program)
    return directory


def runs(pid):
    return pathlib.Path(os.readlink(f"/proc/{pid}/exe"))


def waiting_job(cluster, name, code, cpus=1):
    """Starts, notes that, and ends with the code when its gate opens."""
    gate, log = cluster.directory / f"{name}.gate", cluster.directory / "starts"
    job_id = cluster.submit({
        "name": name, "cpus": cpus,
        "command": f"echo {name} >> {log}; while [ ! -e {gate} ]; do sleep 0.02; done; exit {code}"})[0]
    wait_until(lambda: log.exists() and name in log.read_text().split(), f"{name} has started")
    wait_until(lambda: cluster.job(job_id)["attempts"][-1]["state"] == "running", f"{name} is known to run")
    return job_id, gate


def test_upgrade(cluster):
    agent = cluster.agents[0]
    shepherd = cluster.shepherd_pid(1)
    first, first_gate = waiting_job(cluster, "first", 7)
    second, second_gate = waiting_job(cluster, "second", 0)
    agent.stop()
    first_gate.touch()  # ends while no agent is there
    agent.command[0] = str(install(cluster.directory / "v2") / "rm-agent")
    agent.start()
    assert cluster.wait_terminal([first])[0]["exit_code"] == 7
    wait_until(lambda: runs(shepherd) == cluster.directory / "v2" / "rm-shepherd",
               "the shepherd goes on as the new program")
    assert cluster.shepherd_pid(1) == shepherd, "in its own process"
    third, third_gate = waiting_job(cluster, "third", 9)

    # In place, as a package manager does it, and without the agent.
    replacement = cluster.directory / "v2" / "rm-shepherd.new"
    shutil.copy(BIN / "rm-shepherd", replacement)
    replacement.rename(cluster.directory / "v2" / "rm-shepherd")
    wait_until(lambda: "(deleted)" in str(runs(shepherd)), "another file has its name")
    os.kill(shepherd, signal.SIGHUP)
    wait_until(lambda: runs(shepherd) == cluster.directory / "v2" / "rm-shepherd", "SIGHUP")
    third_gate.touch()
    second_gate.touch()
    jobs = cluster.wait_terminal([second, third])
    assert [job.get("exit_code") for job in jobs] == [0, 9], jobs
    starts = (cluster.directory / "starts").read_text().split()
    assert sorted(starts) == ["first", "second", "third"], starts


def restart_with(cluster, resources, *options):
    agent = cluster.agents[0]
    agent.stop()
    command = agent.command
    command[command.index("--resources") + 1] = resources
    for name, value in zip(options[::2], options[1::2]):
        if name in command:
            command[command.index(name) + 1] = value
        else:
            command += [name, value]


def test_changed_resources(cluster):
    job, gate = waiting_job(cluster, "wide", 3, cpus=3)
    restart_with(cluster, "cpus:8;mem:1000", "--attributes", "rack:r7")
    cluster.agents[0].start()
    wait_until(lambda: cluster.connected(), "it is taken in with more")
    node = cluster.connected()[0]
    assert node["total"]["cpus"] == 8 and node["held"]["cpus"] == 3, node
    assert node["attributes"] == {"rack": "r7"}, node

    restart_with(cluster, "cpus:2;mem:1000")
    refused = subprocess.run(cluster.agents[0].command, capture_output=True, text=True, timeout=60)
    said = refused.stderr.splitlines()[-1]
    assert refused.returncode == 1, refused
    assert "cpus: need 3, free 2" in said and "1 task" in said, said
    print(said)
    assert cluster.get("/v1/nodes")["nodes"][0]["total"]["cpus"] == 8, "nothing has changed"
    assert cluster.job(job)["state"] == "running"

    restart_with(cluster, "cpus:3;mem:500")
    cluster.agents[0].start()
    wait_until(lambda: cluster.connected(), "what covers the task is taken in")
    gate.touch()
    assert cluster.wait_terminal([job])[0]["exit_code"] == 3
    starts = (cluster.directory / "starts").read_text().split()
    assert starts == ["wide"], starts


if __name__ == "__main__":
    for test in (test_upgrade, test_changed_resources):
        with Cluster(agents=1, on_exit="keep") as one:
            test(one)
