#!/usr/bin/python3
"""What each released version wrote is read by this one: its journals replay to the state that they
held, and its agent comes back as itself.

`RM_MAKE_RELEASE=0.2.0 tests/system/release_test.py` writes releases/0.2.0 with the programs of that
version, once, when it is released; afterwards it never changes.
"""

import json
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from _cluster import BIN, Cluster, wait_until  # noqa: E402

RELEASES = pathlib.Path(__file__).parent / "releases"
JOURNALS = {"master": "master/master.db", "agent": "agent-1/agent.db"}
LEDGER = "agent-1/shepherd.ledger"
OVER = ("finished", "failed", "killed", "lost", "gone")
MASTER = ("--batch-role", "prod")


# --- what a version has to say ---

def state_of(cluster):
    """What its journals hold, without what depends on the time or on who is connected."""
    def pick(entry, *names):
        return {name: entry[name] for name in names if name in entry}

    jobs = [cluster.job(job["id"]) for job in cluster.get("/v1/jobs")["jobs"]]
    schedules = cluster.get("/v1/schedules")["schedules"]
    return {
        "jobs": {str(job["id"]): pick(job, "name", "state", "reason", "role", "priority", "command",
                                      "resources", "run", "exit_code", "submitted", "array")
                 | {"attempts": [pick(a, "run", "attempt", "node", "state", "exit_code", "launched")
                                 for a in job["attempts"] if a["state"] in OVER],
                    "dependencies": [pick(d, "job", "kind", "state") for d in job["dependencies"]]}
                 for job in jobs},
        "schedules": {s["name"]: pick(s, "schedule", "timezone", "epsilon", "paused", "catch_up",
                                      "overlap") | {"runs": len(s["runs"])} for s in
                      [cluster.get(f"/v1/schedules/{s['name']}") for s in schedules]},
        "nodes": [pick(n, "id", "hostname", "attributes", "service", "reservations")
                  | {"total": n["total"]} for n in cluster.get("/v1/nodes")["nodes"]],
        "roles": {r["role"]: pick(r, "weight", "quota") for r in cluster.get("/v1/roles")["roles"]},
        "maintenance": [pick(w, "name", "reason", "nodes", "hostnames", "start", "duration")
                        for w in cluster.get("/v1/maintenance")["windows"]],
    }


def live(cluster):
    """Every kind of record, and a task that runs."""
    gate = cluster.directory / "gate"
    wait = f"until [ -e {gate} ]; do sleep 0.1; done"
    cluster.rmctl("role", "weight", "prod", "3.5")
    cluster.rmctl("role", "quota", "prod", "--guarantee", "cpus:1", "--limit", "cpus:6")
    cluster.rmctl("node", "reserve", "a-1", "cpus:1", "--role", "prod")
    cluster.rmctl("node", "reserve", "a-1", "disk:100", "--role", "prod")
    cluster.rmctl("maintenance", "set", "kernel", "a-1", "--start", "2100-01-01T00:00:00Z",
                  "--duration", "1h", "--reason", "new kernel")
    ended = cluster.submit(
        {"name": "good", "command": "exit 0", "priority": 7},
        {"name": "bad", "argv": ["sh", "-c", "exit 3"], "retries": 1, "env": {"A": "b"}},
        {"name": "after", "command": "true", "after_ok": ["good"], "after_notok": ["bad"]},
        {"name": "never", "command": "true", "after_ok": ["bad"]},
        {"name": "array", "command": "exit $((RM_ARRAY_INDEX == 2))", "array": "1-3%2"},
        key="first")
    cluster.wait_terminal(ended)
    running, waiting, held, many = cluster.submit(
        {"name": "running", "command": wait, "role": "prod"},
        {"name": "waiting", "command": "true", "after_any": ["running"], "lost": "fence",
         "fence_after": "60"},
        {"name": "held", "command": "true", "hold": True},
        {"name": "many", "command": wait, "array": "1-1000%1"})
    wait_until(lambda: cluster.job(running)["attempts"][-1]["state"] == "running", "it runs")
    wait_until(lambda: cluster.job(many)["state"] == "running", "an element runs")
    cluster.rmctl("cancel", waiting, "--reason", "cancelled on purpose")
    for body in ({"name": "nightly", "schedule": "R/2100-01-31T02:30:00/P1M", "epsilon": "PT1H",
                  "schedule_timezone": "Europe/Berlin", "catch_up": "last",
                  "job": {"command": "true"}},
                 {"name": "then", "after_ok": ["nightly"], "overlap": "allow",
                  "job": {"command": "true"}}):
        status, answer = cluster.request("POST", "/v1/schedules", body)
        assert status == 201, (status, answer)
    status, answer = cluster.request("POST", "/v1/schedules/nightly/trigger", {})
    assert status in (200, 201, 202), (status, answer)
    wait_until(lambda: cluster.get("/v1/schedules/then")["runs"]
               and cluster.get("/v1/schedules/then")["runs"][0]["ended"], "both have run")
    cluster.rmctl("schedule", "pause", "then")
    return held


def end_tasks(directory):
    """The shepherd that would do it is dead, and the next ones are to find none."""
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if f"RM_SANDBOX={directory}/".encode() in (process / "environ").read_bytes():
                os.kill(int(process.name), signal.SIGKILL)
        except OSError:
            pass


def make(version):
    target = RELEASES / version
    target.mkdir(parents=True)
    with cluster_of() as cluster:
        live(cluster)
        state = state_of(cluster)
        cluster.agents[0].kill()
        os.kill(cluster.shepherd_pid(1), signal.SIGKILL)
        end_tasks(cluster.directory)
        cluster.master.stop()
        for name, path in JOURNALS.items():
            database = sqlite3.connect(cluster.directory / path)
            pragmas = [f"PRAGMA {pragma}={database.execute(f'PRAGMA {pragma}').fetchone()[0]};"
                       for pragma in ("application_id", "user_version")]
            (target / f"{name}.sql").write_text("\n".join([*pragmas, *database.iterdump()]) + "\n")
            database.close()
        ledger = (cluster.directory / LEDGER).read_bytes().hex()
        (target / "shepherd.hex").write_text(
            "\n".join(ledger[i:i + 100] for i in range(0, len(ledger), 100)) + "\n")
        (target / "state.json").write_text(json.dumps(state, indent=1, sort_keys=True) + "\n")


# --- what this version makes of it ---

def cluster_of():
    return Cluster(agents=1, resources="cpus:8;mem:4096;disk:1000", master_options=MASTER,
                   agent_options=("--attributes", "rack:r1"), on_exit="keep")


def load(release, directory):
    for name, path in JOURNALS.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(directory / path)
        database.executescript((release / f"{name}.sql").read_text())
        database.close()
    (directory / LEDGER).write_bytes(bytes.fromhex((release / "shepherd.hex").read_text()))


def check(release):
    expected = json.loads((release / "state.json").read_text())
    cluster = cluster_of()
    try:
        load(release, cluster.directory)
        for path in JOURNALS.values():
            done = subprocess.run([BIN / "rmctl", "journal", "check", cluster.directory / path],
                                  capture_output=True, text=True, timeout=60)
            assert done.returncode == 0 and "sound" in done.stdout, done
        cluster.master.start()
        found = state_of(cluster)
        for part, entries in expected.items():
            if isinstance(entries, dict):
                for name in entries:
                    assert found[part][name] == entries[name], (part, found[part][name], entries[name])
            assert found[part] == entries, (part, found[part], entries)
        running = next(i for i, job in expected["jobs"].items() if job["name"] == "running")
        assert cluster.job(running)["state"] == "running"

        # Its task ended with a host that is not this one, which the agent finds out.
        cluster.agents[0].start()
        wait_until(cluster.connected, "the agent has come back")
        nodes = cluster.get("/v1/nodes")["nodes"]
        assert [node["id"] for node in nodes] == ["a-1"], nodes
        job = cluster.wait_terminal([running])[0]
        assert job["state"] == "failed" and "unknown" in job["reason"], job
        new = cluster.submit({"name": "new", "command": "exit 5"})
        assert cluster.wait_terminal(new)[0]["exit_code"] == 5
        assert new[0] > max(map(int, expected["jobs"]))
        status, answer = cluster.request("POST", "/v1/jobs", {"jobs": [{"command": "true"}]},
                                         {"Idempotency-Key": "first"})
        assert status == 409 and "of job 1" in answer["detail"], answer
    except BaseException as error:
        cluster.__exit__(type(error), error, None)
        raise
    else:
        cluster.__exit__(None, None, None)
    finally:
        end_tasks(cluster.directory)


if __name__ == "__main__":
    if "RM_MAKE_RELEASE" in os.environ:
        make(os.environ["RM_MAKE_RELEASE"])
    releases = sorted(RELEASES.iterdir())
    assert releases, "there is at least one"
    for one in releases:
        check(one)
        print(f"{one.name}: replayed")
