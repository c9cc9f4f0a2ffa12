#!/usr/bin/python3
"""What rmctl shows while things happen: events and jobs, also across a master that is killed."""

import json
import os
import select
import subprocess
import sys
import time

from _cluster import BIN, DEADLINE_S, Cluster, wait_until
from _terminal import Terminal


class Rmctl:
    """rmctl as a process whose lines are read as they come."""

    def __init__(self, cluster, *words):
        environment = {**os.environ, "RM_MASTER": cluster.url("")}
        self.process = subprocess.Popen([BIN / "rmctl", *words], env=environment,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)
        self.buffer = b""

    def readable(self, seconds):
        return bool(self.buffer) or bool(select.select([self.process.stdout], [], [], seconds)[0])

    def line(self, wanted):
        """The next line of which `wanted` is true."""
        end = time.monotonic() + DEADLINE_S
        seen = []
        while time.monotonic() < end:
            while b"\n" in self.buffer:
                line, self.buffer = self.buffer.split(b"\n", 1)
                seen.append(line.decode())
                if wanted(seen[-1]):
                    return seen[-1]
            if select.select([self.process.stdout], [], [], 1)[0]:
                data = os.read(self.process.stdout.fileno(), 65536)
                if not data:
                    break
                self.buffer += data
        self.process.kill()
        raise AssertionError(f"not among {seen}; stderr: {self.end()[2]}")

    def end(self):
        """(code, rest of stdout, stderr)"""
        out, errors = self.process.communicate(timeout=DEADLINE_S)
        return self.process.returncode, (self.buffer + out).decode(), errors.decode()

    def stop(self):
        self.process.terminate()
        self.process.communicate(timeout=DEADLINE_S)


def run(cluster, *words):
    return Rmctl(cluster, *words).end()


def is_job(text, name, state):
    data = json.loads(text)
    return (data["event"] == "job" and data["data"]["name"] == name
            and data["data"]["state"] == state)


def restart(cluster):
    """On the ports that it had, as an operator's master is."""
    http, peer = cluster.master.field("http"), cluster.master.field("cluster")
    cluster.master.kill()
    command = cluster.master.command
    for option, address in (("--port", http), ("--cluster-port", peer)):
        command[command.index(option) + 1] = address.rsplit(":", 1)[1]
    cluster.master.start()


def test_events_are_followed_across_a_restart(cluster):
    events = Rmctl(cluster, "events", "-f", "-o", "json")
    cluster.submit({"name": "before", "command": "true"})
    events.line(lambda text: is_job(text, "before", "finished"))
    restart(cluster)
    cluster.submit_stubbornly({"name": "after", "command": "true"}, key="after")
    events.line(lambda text: is_job(text, "after", "finished"))
    events.stop()


def test_events_of_some_jobs_and_of_schedules(cluster):
    only = Rmctl(cluster, "events", "-f", "-o", "json", "chosen*")
    everything = Rmctl(cluster, "events", "-f", "-o", "json")
    # Whoever follows is there once it tells of something: a job of each kind, until it does.
    def told():
        cluster.wait_terminal(cluster.submit({"name": "other", "command": "true"},
                                             {"name": "chosen-1", "command": "true"}))
        return only.readable(0.2) and everything.readable(0.2)
    wait_until(told, "both tell of a job")
    status, _ = cluster.request("POST", "/v1/schedules", {
        "name": "hourly", "schedule": "R/2100-01-01T00:00:00Z/PT1H", "job": {"command": "true"}})
    assert status == 201
    cluster.request("POST", "/v1/schedules/hourly/trigger")
    for change in ("added", "run_started", "run_ended"):
        line = json.loads(everything.line(lambda text: json.loads(text)["event"] == "schedule"))
        assert (line["data"]["name"], line["data"]["change"]) == ("hourly", change), line
    cluster.submit({"name": "chosen-last", "command": "true"})
    seen = []
    only.line(lambda text: seen.append(json.loads(text)["data"]["name"]) or "chosen-last" in text)
    assert all(name.startswith("chosen") for name in seen), seen
    for process in (only, everything):
        process.stop()
    code, out, _ = run(cluster, "events")
    assert code == 0 and "schedule hourly  run 1  finished" in out, out


def test_watch_ends_with_the_highest_code(cluster):
    gate = cluster.directory / "gate"
    wait = f"until [ -e {gate} ]; do sleep 0.02; done"
    ids = cluster.submit({"name": "good", "command": wait},
                         {"name": "bad", "command": f"{wait}; exit 7"})
    for one in ids:
        wait_until(lambda one=one: cluster.job(one)["attempts"], "it runs")
    # Too large while the others run, so that its state can be changed until both tell of it.
    cluster.submit({"name": "mark", "command": "true", "cpus": 4, "hold": True})
    watching = Rmctl(cluster, "watch", "good", "bad", "mark")
    bar = Rmctl(cluster, "watch", "--progress", "good", "bad", "mark")

    def told():
        for verb in ("release", "hold"):
            cluster.request("POST", f"/v1/jobs/mark/{verb}")
        return watching.readable(0.2) and bar.readable(0.2)
    wait_until(told, "both tell of a change")
    restart(cluster)
    wait_until(lambda: cluster.request("POST", "/v1/jobs/mark/cancel")[0] == 202, "it is cancelled")
    gate.touch()
    watching.line(lambda text: "bad  failed  " in text)
    code, _, errors = watching.end()
    assert code == 7, (code, errors)
    code, out, errors = bar.end()
    assert code == 7 and out.splitlines()[-1].startswith("3/3  1 finished, 1 failed, 1 cancelled"), (out, errors)
    code, out, _ = run(cluster, "watch", "good", "bad")
    assert (code, out) == (7, ""), (code, out)


def on_terminal(cluster, *words, columns=80):
    environment = {**os.environ, "RM_MASTER": cluster.url(""), "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8",
                   "TERM": "xterm"}
    return Terminal([BIN / "rmctl", *words], environment, columns)


def test_watch_draws_in_place(cluster):
    gate = cluster.directory / "gate-2"
    [job] = cluster.submit({"name": "drawn", "command":
                            f"until [ -e {gate} ]; do sleep 0.02; done; exit 3"})
    wait_until(lambda: cluster.job(job)["attempts"], "it runs")
    with on_terminal(cluster, "watch", "drawn") as terminal:
        terminal.wait_for("running")
        terminal.wait_for("0/1")
        gate.touch()
        terminal.wait_for("exit code 3")
        assert terminal.wait_end() == 3
        assert "\x1b[4A" in terminal.screen and terminal.screen.endswith("\x1b[?25h"), terminal.screen
    [other] = cluster.submit({"name": "left-alone", "command": "sleep 60"})
    with on_terminal(cluster, "watch", "--progress", "left-alone") as terminal:
        terminal.wait_for("0/1")
        terminal.type("\x03")
        assert terminal.wait_end() == 130
    assert cluster.job(other)["state"] in ("pending", "running")
    cluster.request("POST", f"/v1/jobs/{other}/cancel")
    cluster.wait_terminal([other])


def test_top_is_ended_by_a_key(cluster):
    for key, code in (("q", 0), ("\x03", 0)):
        with on_terminal(cluster, "top", "--interval", "100ms", columns=100) as terminal:
            terminal.wait_for("node-1")
            cluster.master.kill()
            terminal.wait_for("no master")
            cluster.master.start()
            terminal.type(key)
            assert terminal.wait_end() == code
            assert terminal.screen.endswith("\x1b[?1049l"), terminal.screen[-40:]


def main():
    with Cluster(agents=1) as cluster:
        test_events_are_followed_across_a_restart(cluster)
        test_events_of_some_jobs_and_of_schedules(cluster)
        test_watch_ends_with_the_highest_code(cluster)
        test_watch_draws_in_place(cluster)
        test_top_is_ended_by_a_key(cluster)
    return 0


if __name__ == "__main__":
    sys.exit(main())
