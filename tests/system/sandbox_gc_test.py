#!/usr/bin/python3
"""Sandboxes of ended tasks go by age and when the disk fills up; nothing else does."""

import itertools
import os
import shutil
import subprocess
import sys

from _cluster import Cluster, wait_until
from _namespaces import enter_namespaces, mount

AGE = ("--gc-after", "500ms", "--gc-interval", "50ms", "--gc-disk-percent", "100")
FOR_EVER = ("--gc-after", "10000h", "--gc-interval", "50ms", "--gc-disk-percent", "90")
DEEP = "for i in range(500): os.mkdir('a-directory'); os.chdir('a-directory')"
count = itertools.count()


def runs(cluster):
    return cluster.directory / "agent-1" / "runs"


def sandbox(cluster, job):
    return next(runs(cluster).glob(f"*/{job}.1.1"), None)


def see_a_collection(cluster):
    """Returns when something was collected that is younger than all that there was before."""
    decoy = runs(cluster) / "f-999" / f"decoy-{next(count)}"
    decoy.mkdir(parents=True, exist_ok=True)
    wait_until(lambda: not decoy.exists(), "the decoy is collected")


def check_what_is_used_or_owed_stays(cluster):
    stop = cluster.directory / "stop"
    job, = cluster.submit({"command": f"touch running; until [ -e {stop} ]; do sleep 0.05; done; "
                                      "touch ended"})
    wait_until(lambda: sandbox(cluster, job) and (sandbox(cluster, job) / "running").exists(),
               "it runs")
    see_a_collection(cluster)
    assert sandbox(cluster, job), "a live task's sandbox was collected"
    cluster.master.kill()
    stop.touch()
    wait_until(lambda: (sandbox(cluster, job) / "ended").exists(), "its last words")
    see_a_collection(cluster)
    assert sandbox(cluster, job), "the sandbox of an end that nobody knows yet was collected"
    agent = cluster.agents[0]
    agent.kill()
    agent.start()
    see_a_collection(cluster)
    assert sandbox(cluster, job), "a new agent process knows what is owed"
    cluster.master.start()
    cluster.wait_terminal([job])
    wait_until(lambda: not sandbox(cluster, job), "then it is collected")


def check_nothing_outside_is_touched(cluster):
    outside = cluster.directory / "outside"
    outside.mkdir()
    (outside / "file").write_text("precious")
    jobs = cluster.submit(
        {"command": f"mkdir d; ln -s {outside} d/link; ln -s {outside}/file file; ln -s / root"},
        {"command": f'cd /; rm -r "$RM_SANDBOX"; ln -s {outside} "$RM_SANDBOX"'})
    cluster.wait_terminal(jobs)
    wait_until(lambda: not any(sandbox(cluster, job) for job in jobs), "both are collected")
    wait_until(lambda: not trash(cluster), "both are deleted")
    assert (outside / "file").read_text() == "precious"


def trash(cluster):
    return list((cluster.directory / "agent-1" / "trash").iterdir())


def check_deep_and_closed_trees_go(cluster):
    jobs = cluster.submit(
        {"argv": [sys.executable, "-c", f"import os\n{DEEP}"]},
        {"command": "mkdir -p a/b; touch a/b/c; chmod 0 a/b a ."},
        {"command": "for i in $(seq 300); do mkdir $i; touch $i/file; done"})
    jobs = cluster.wait_terminal(jobs)
    assert all(job["state"] == "finished" for job in jobs), jobs
    wait_until(lambda: not any(sandbox(cluster, job["id"]) for job in jobs), "all are collected")
    wait_until(lambda: not trash(cluster), "all are deleted")
    framework = runs(cluster) / cluster.get("/v1/frameworks")["frameworks"][0]["id"]
    wait_until(lambda: not framework.exists(), "an empty directory is not kept")
    job, = cluster.submit({"command": "true"})
    assert cluster.wait_terminal([job])[0]["state"] == "finished", "it is made again"


def check_the_trash_of_a_killed_agent_goes(cluster):
    agent = cluster.agents[0]
    agent.kill()
    left = cluster.directory / "agent-1" / "trash" / "f-1:99.1.1" / "inner"
    left.mkdir(parents=True)
    agent.start()
    wait_until(lambda: not trash(cluster), "what was left is deleted")


def check_a_full_disk_keeps_nothing():
    cluster = Cluster(agents=1, agent_options=FOR_EVER)
    disk = cluster.directory / "agent-1"
    disk.mkdir()
    mount("-t", "tmpfs", "-o", "size=64m", "tmpfs", disk)
    with cluster:
        jobs = cluster.submit({"command": "echo words"}, {"command": "echo more"})
        cluster.wait_terminal(jobs)
        assert all(sandbox(cluster, job) for job in jobs), "the disk is nearly empty"
        status = os.statvfs(disk)
        (disk / "filler").write_bytes(bytes(status.f_bavail * status.f_frsize * 95 // 100))
        wait_until(lambda: not any(sandbox(cluster, job) for job in jobs), "both are gone")
    subprocess.run(["umount", disk], check=True)
    shutil.rmtree(cluster.directory)


def main():
    enter_namespaces("mount")
    with Cluster(agents=1, agent_options=AGE) as cluster:
        for check in (check_what_is_used_or_owed_stays, check_nothing_outside_is_touched,
                      check_deep_and_closed_trees_go, check_the_trash_of_a_killed_agent_goes):
            check(cluster)
            print(f"ok {check.__name__}")
    check_a_full_disk_keeps_nothing()
    print("5 passed, 0 failed")


if __name__ == "__main__":
    main()
