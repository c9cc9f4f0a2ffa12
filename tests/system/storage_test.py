#!/usr/bin/python3
"""Fills the disks of a master and of an agent: nothing acknowledged is lost, and both go on by
themselves when there is room."""

import os
import pathlib
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from _cluster import Cluster, wait_until  # noqa: E402
from _namespaces import enter_namespaces, mount  # noqa: E402


def small_disk(directory, mib):
    directory.mkdir(parents=True)
    mount("-t", "tmpfs", "-o", f"size={mib}m,mode=755", "none", directory)
    return directory


def fill(directory, leave=0):
    """Takes all the room but so many bytes."""
    status = os.statvfs(directory)
    left = status.f_bavail * status.f_frsize - leave
    try:
        with open(directory / "ballast", "ab", buffering=0) as file:
            while left > 0:
                left -= file.write(b"\0" * min(left, 1 << 20))
    except OSError:
        pass


def empty(directory):
    (directory / "ballast").unlink(missing_ok=True)


def job(name, **more):
    return {"name": name, "command": "true", "cpus": 1, "mem": 16, **more}


def test_a_low_disk_refuses_new_work_alone(cluster, disk):
    ids = cluster.submit(job("before"))
    gate = cluster.directory / "gate"
    running = cluster.submit(job("runs", command=f"until [ -e {gate} ]; do sleep 0.05; done"))
    wait_until(lambda: cluster.job(running[0])["attempts"], "it runs")
    fill(disk, leave=3 << 20)
    wait_until(lambda: cluster.get("/v1/state")["storage_low"], "the master has seen it")
    for method, path, body in (("POST", "/v1/jobs", job("refused")),
                               ("POST", "/v1/schedules", {
                                   "name": "s", "schedule": "R/2100-01-01T00:00:00Z/PT1H",
                                   "job": {"command": "true"}})):
        status, answer = cluster.request(method, path, body)
        assert status == 507 and answer["code"] == "resource_exhausted", (status, answer)
        assert "disk" in answer["detail"], answer
    # The options of rmctl stand before the command.
    done = subprocess.run([*cluster.rmctl_command("submit"), "--", "true"], capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == 4 and "disk of the master's journal is nearly full" in done.stderr, done
    status, answer = cluster.request("GET", "/v1/backup")
    assert status == 507 and "no room" in answer["detail"], (status, answer)
    gate.touch()  # what was taken ends
    assert cluster.wait_terminal(ids + running)[1]["state"] == "finished"
    empty(disk)
    wait_until(lambda: not cluster.get("/v1/state")["storage_low"], "there is room again")
    cluster.wait_terminal(cluster.submit(job("after")))
    return ids + running


def test_a_full_disk_is_waited_out(cluster, disk):
    """Somebody else takes the last byte within a moment: what was acknowledged is there, what was
    not is answered once there is room."""
    process = cluster.master.process
    acknowledged = []
    stop = threading.Event()

    def submit():
        while not stop.is_set():
            status, answer = cluster.request("POST", "/v1/jobs", job(
                f"full-{len(acknowledged)}", env={"FILL": "x" * 20_000}, hold=True))
            if status == 201:
                acknowledged.append(answer["jobs"][0]["id"])
            else:
                assert status == 507, (status, answer)
    thread = threading.Thread(target=submit)
    thread.start()
    try:
        wait_until(lambda: len(acknowledged) >= 5, "submissions are acknowledged")
        fill(disk)
        wait_until(lambda: cluster.get("/v1/state")["storage_low"], "the master has seen it")
        status, answer = cluster.request("POST", "/v1/jobs", job("refused"))
        assert status == 507, (status, answer)
        assert process.poll() is None, "the master waits it out"
        empty(disk)
        count = len(acknowledged)
        wait_until(lambda: len(acknowledged) > count, "there is room again")
    finally:
        stop.set()
        thread.join()
    fill(disk)
    cluster.master.kill()  # also in the worst moment
    empty(disk)
    cluster.master.start()
    assert [cluster.job(i)["id"] for i in acknowledged] == acknowledged
    print(f"{len(acknowledged)} acknowledged around a full disk, all there")


def test_an_agents_full_disk(cluster, disk):
    wait_until(lambda: len(cluster.connected()) == 1, "the agent is there")
    agent = cluster.agents[0].process
    note = cluster.directory / "notes"
    fill(disk)
    ids = cluster.submit(*[job(f"agent-{n}", command=f"echo $RM_TASK_ID >> {note}",
                               lost="rerun", retries=1000, retry_delay=1) for n in range(4)])
    wait_until(lambda: any(cluster.job(i)["attempts"] for i in ids), "they are launched")
    assert agent.poll() is None
    empty(disk)
    jobs = cluster.wait_terminal(ids)
    assert agent.poll() is None, "the agent waits it out"
    assert [one["state"] for one in jobs] == ["finished"] * 4, jobs
    started = note.read_text().split()
    assert len(started) == len(set(started)), started


def main():
    enter_namespaces("mount")
    cluster = Cluster(agents=1, master_options=("--storage-low-mib", "4"))
    master_disk = small_disk(cluster.directory / "master", 16)
    agent_disk = small_disk(cluster.directory / "agent-1", 16)
    with cluster:
        test_a_low_disk_refuses_new_work_alone(cluster, master_disk)
        test_a_full_disk_is_waited_out(cluster, master_disk)
        test_an_agents_full_disk(cluster, agent_disk)


if __name__ == "__main__":
    main()
