#!/usr/bin/python3
"""Three masters, real ZooKeeper and PostgreSQL: whoever fails, nothing is lost, nothing runs twice."""

import collections
import os
import pathlib
import signal
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent / "python")]
from _cluster import BIN, wait_until  # noqa: E402
from _masters import Masters, ask  # noqa: E402
from _starts import check_starts, pipeline, starts  # noqa: E402

import librm  # noqa: E402


def submit(cluster, jobs, key):
    status, answer = cluster.request("POST", "/v1/jobs", {"jobs": jobs}, {"Idempotency-Key": key})
    assert status in (200, 201, 202), (status, answer)
    return [job["id"] for job in answer["jobs"]]


def finish(cluster, ids, deadline_s=90):
    """All of them finish; returns them as the leader tells them."""
    jobs = {}

    def over():
        for job_id in ids:
            if job_id in jobs:
                continue
            status, job = cluster.request("GET", f"/v1/jobs/{job_id}")
            assert status == 200, (job_id, status, job)
            if job["state"] in ("finished", "failed", "cancelled"):
                jobs[job_id] = job
        return len(jobs) == len(ids)
    wait_until(over, "all jobs are over", deadline_s)
    found = [jobs[job_id] for job_id in ids]
    wrong = [(j["name"], j["state"], j["reason"]) for j in found if j["state"] != "finished"]
    assert not wrong, wrong
    return found


def begin(cluster, name):
    log = cluster.directory / f"{name}.log"
    ids = submit(cluster, pipeline(log, name, "wait"), name)
    wait_until(lambda: len(starts(log)) >= 3, "the fan-out runs")
    return log, ids


def end(cluster, name, log, ids):
    jobs = finish(cluster, ids)
    assert submit(cluster, pipeline(log, name, "wait"), name) == ids, "the same key, the same jobs"
    check_starts(log, jobs)

    def nothing_lives():
        status, state = cluster.request("GET", "/v1/state")
        return status == 200 and state["tasks"]["live"] == 0
    wait_until(nothing_lives, "no task is live")
    print(f"{name}: {len(jobs)} jobs finished, {len(starts(log))} starts, none twice", flush=True)


def others_redirect(cluster):
    leader, address, state = cluster.wait_leader()
    assert state["leader"] == address
    for daemon, other in cluster.addresses():
        status, headers, _ = ask(other, "GET", "/master/redirect")
        assert (status, headers["Location"]) == (307, f"http://{address}/"), (other, status)
        if daemon is leader:
            continue
        for method, path in (("GET", "/v1/jobs?limit=1"), ("POST", "/v1/jobs"), ("GET", "/v1/events")):
            status, headers, _ = ask(other, method, path, {} if method == "POST" else None)
            assert (status, headers["Location"]) == (307, f"http://{address}{path}"), (path, status)
        assert ask(other, "GET", "/livez")[0] == 200
        assert ask(other, "GET", "/readyz")[0] == 503, "who does not lead is not ready"
        # A person may name any master, also for what is streamed.
        assert cluster.rmctl("run", "--", "echo", "there", master=other).strip() == "there"
        done = librm.connect(other).submit(["echo", "there"]).wait(60)
        assert done.logs() == "there\n"
    everybody = ",".join(["127.0.0.1:1", *(other for _, other in cluster.addresses())])
    os.environ["PATH"] = f"{BIN}:{os.environ['PATH']}"
    for master in (everybody, cluster.zookeeper.url()):
        assert cluster.rmctl("run", "--", "echo", "there", master=master).strip() == "there"
        assert librm.connect(master).submit("true").wait(60).state == "finished"
    print("who does not lead says who does", flush=True)


def leader_killed(cluster):
    log, ids = begin(cluster, "killed")
    for _ in range(2):
        daemon, _, state = cluster.wait_leader()
        daemon.kill()
        after = cluster.wait_leader(but=daemon)
        assert after[2]["epoch"] > state["epoch"]
        daemon.start()
    end(cluster, "killed", log, ids)


def leader_stopped(cluster):
    """It does not know that it was replaced, and finds out before it does any harm."""
    log, ids = begin(cluster, "stopped")
    daemon, address, state = cluster.wait_leader()
    os.kill(daemon.process.pid, signal.SIGSTOP)
    try:
        after = wait_until(lambda: next(
            ((d, a, s) for d, a in cluster.addresses() if d is not daemon
             for code, _, s in [ask(a, "GET", "/v1/state", timeout=2)] if code == 200), None),
            "another master leads")
        assert after[2]["epoch"] > state["epoch"]
        more = submit_to(after[1], log)
    finally:
        os.kill(daemon.process.pid, signal.SIGCONT)
    wait_until(lambda: ask(address, "GET", "/v1/state", timeout=2)[0] != 200,
               "the old one leads no more")
    wait_until(lambda: ask(daemon.address(), "GET", "/livez", timeout=2)[0] == 200,
               "it has begun anew")
    leader, _, _ = cluster.wait_leader()
    assert leader is not daemon
    finish(cluster, more)
    end(cluster, "stopped", log, ids)


def submit_to(address, log):
    job = {"name": "meanwhile", "command": f'echo "$RM_TASK_ID" >> {log}.other', "cpus": 1, "mem": 16}
    status, _, answer = ask(address, "POST", "/v1/jobs", {"jobs": [job]}, {"Idempotency-Key": "mean"})
    assert status in (200, 201, 202), (status, answer)
    return [one["id"] for one in answer["jobs"]]


def masters_come_and_go(cluster):
    log, ids = begin(cluster, "replaced")
    new = cluster.master(len(cluster.masters) + 1).start()
    cluster.masters.append(new)
    daemon, _, state = cluster.wait_leader()
    before = time.monotonic()
    daemon.stop()
    after = cluster.wait_leader(but=daemon)
    took = time.monotonic() - before
    assert after[2]["epoch"] == state["epoch"] + 1
    cluster.masters.remove(daemon)
    end(cluster, "replaced", log, ids)
    print(f"a leader that was told to stop was replaced in {took:.2f} s", flush=True)


def zookeeper_away(cluster):
    """Nobody can lead meanwhile, and tasks run on."""
    log, ids = begin(cluster, "elected")
    for process in cluster.zookeeper.processes:
        process.kill()
        process.wait()
    wait_until(lambda: cluster.leader() is None, "the leader has stepped down")
    seen = len(starts(log))
    for n in range(len(cluster.zookeeper.processes)):
        cluster.zookeeper.start_server(n)
    cluster.wait_leader()
    assert seen >= 3
    end(cluster, "elected", log, ids)


def postgres_restarted(cluster):
    log, ids = begin(cluster, "stored")
    cluster.postgres.process.send_signal(signal.SIGINT)
    cluster.postgres.process.wait()
    time.sleep(1)
    cluster.postgres.start()
    end(cluster, "stored", log, ids)


def agent_away(cluster):
    """Killed while the leader changes: it finds the new one, and its tasks are its again."""
    log, ids = begin(cluster, "agents")
    for agent in cluster.agents:
        agent.kill()
    daemon, _, _ = cluster.wait_leader()
    daemon.kill()
    for agent in cluster.agents:
        agent.start()
    daemon.start()
    end(cluster, "agents", log, ids)


def main():
    tests = [others_redirect, leader_killed, leader_stopped, masters_come_and_go, agent_away,
             postgres_restarted, zookeeper_away]
    with Masters() as cluster:
        for test in tests:
            test(cluster)
        states = collections.Counter(
            daemon.process.poll() for daemon in [*cluster.masters, *cluster.agents])
        assert states == {None: len(cluster.masters) + len(cluster.agents)}, states
    print(f"{len(tests)} passed, 0 failed")


if __name__ == "__main__":
    main()
