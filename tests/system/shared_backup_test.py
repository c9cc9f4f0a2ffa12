#!/usr/bin/python3
"""The state of several masters is backed up while they run, and restored: for several again, and for a
single one. Agents go over to it, what runs goes on, and nothing starts twice."""

import json
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from _cluster import BIN, Daemon, wait_until  # noqa: E402
from _masters import Masters, ask  # noqa: E402


def submit(cluster, log, *jobs):
    """Each task notes its id as it starts."""
    status, answer = cluster.request("POST", "/v1/jobs", {"jobs": [
        {"name": name, "cpus": 1, "mem": 16, "command": f'echo "$RM_TASK_ID" >> {log}; {work}', **more}
        for name, work, more in jobs]}, {"Idempotency-Key": jobs[0][0]})
    assert status == 201, (status, answer)
    return [job["id"] for job in answer["jobs"]]


def state_of(cluster, job):
    return cluster.request("GET", f"/v1/jobs/{job}")[1]["state"]


def refused(*words):
    done = subprocess.run([BIN / "rmctl", *map(str, words)], capture_output=True, text=True, timeout=60)
    assert done.returncode != 0, (words, done)
    return done.stderr


def main():
    with Masters(masters=2, agents=1) as cluster:
        log = cluster.directory / "starts"
        gate = cluster.directory / "gate"
        saved = cluster.directory / "saved.db"
        wait = f"until [ -e {gate} ]; do sleep 0.05; done"
        ended, lasting, waiting = submit(
            cluster, log, ("ended", "true", {}), ("lasting", wait, {}),
            ("waiting", "true", {"after_ok": ["lasting"]}))
        wait_until(lambda: state_of(cluster, ended) == "finished"
                   and state_of(cluster, lasting) == "running", "one has ended, one runs")
        text = cluster.rmctl("backup", saved)
        assert "3 jobs (" in text and "as of LSN" in text, text
        report = json.loads(cluster.rmctl("journal", "check", saved, "-o", "json"))
        assert report["ok"] and report["holds"]["jobs"] == 3, report
        assert not list(cluster.directory.glob("master-*/*.backup*"))

        url = cluster.postgres.url()
        said = refused("restore", saved, "--state", url)
        assert "cluster 'default' has a state there already" in said, said
        assert "give either" in refused("restore", saved), "one target"
        for daemon in cluster.masters:
            daemon.stop()
        done = json.loads(cluster.rmctl("restore", saved, "--state", url, "--cluster-name", "second",
                                        "-o", "json"))
        assert done["cluster"] == "second" and done["held"] == 1 and done["epoch"] > 1_000_000, done
        for daemon in cluster.masters:
            daemon.command += ["--cluster-name", "second"]
            daemon.start()
        wait_until(lambda: cluster.connected() == 1, "the agent obeys the restored masters")
        assert state_of(cluster, ended) == "finished" and state_of(cluster, waiting) == "held"
        wait_until(lambda: state_of(cluster, lasting) == "running", "what ran runs on")
        [new] = submit(cluster, log, ("new", "true", {}))
        assert new == done["next_job"], (new, done)
        wait_until(lambda: state_of(cluster, new) == "finished", "new jobs run")
        cluster.leader()[0].kill()  # the next one reads what was restored
        wait_until(lambda: cluster.connected() == 1, "another leads")
        assert state_of(cluster, new) == "finished"

        # From several to a single one, with what came since.
        again = cluster.directory / "again.db"
        cluster.rmctl("backup", again)
        single = cluster.directory / "single"
        cluster.rmctl("restore", again, "--work-dir", single)
        for daemon in cluster.masters:
            if daemon.process.poll() is None:
                daemon.stop()
        master = Daemon("rm-master", [BIN / "rm-master", "--work-dir", single, "--port", "0",
                                      "--cluster-port", "0"], cluster.directory / "single.log").start()
        try:
            cluster.agents[0].kill()
            command = cluster.agents[0].command
            command[command.index("--master"):command.index("--master") + 2] = ["--master-dir", str(single)]
            cluster.agents[0].start()
            address = master.address()

            def told(path):
                return ask(address, "GET", path)[2]
            wait_until(lambda: told("/v1/nodes")["nodes"][0]["connected"], "the agent has moved")
            assert told(f"/v1/jobs/{new}")["state"] == "finished"
            wait_until(lambda: told(f"/v1/jobs/{lasting}")["state"] == "running", "still the same")
            gate.touch()
            wait_until(lambda: told(f"/v1/jobs/{lasting}")["state"] == "finished", "to its end")
            cluster.agents[0].stop()
        finally:
            gate.touch()
            master.stop()
        starts = log.read_text().split()
        assert sorted(starts) == sorted(set(starts)) and len(starts) == 3, starts


if __name__ == "__main__":
    main()
