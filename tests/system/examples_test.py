#!/usr/bin/python3
"""The job files of batch/examples do what their comments say, by the commands that stand there."""

import os
import pathlib
import re
import subprocess

from _cluster import BIN, Cluster, wait_until

EXAMPLES = pathlib.Path(os.environ["RM_SOURCE_DIR"]) / "batch/examples"


def rmctl(cluster, *arguments, code=0):
    done = subprocess.run([BIN / "rmctl", *map(str, arguments)], capture_output=True, text=True,
                          timeout=60, cwd=cluster.directory,
                          env={**os.environ, "RM_MASTER": cluster.master.field("http")})
    assert done.returncode == code, (arguments, done)
    return done.stdout


def test_fan(cluster):
    rmctl(cluster, "submit", "--env", f"DIR={cluster.directory}/fan", EXAMPLES / "fan.toml")
    rmctl(cluster, "wait", "total")
    assert rmctl(cluster, "logs", "total") == f"{sum(n * n for n in range(1, 13))}\n"
    counts = cluster.get("/v1/jobs/square")["array"]["counts"]
    assert counts["finished"] == 12, counts


def test_failure(cluster):
    rmctl(cluster, "submit", EXAMPLES / "failure.toml")
    rmctl(cluster, "wait", "load", "publish", "alarm", "report", code=3)
    states = {name: cluster.get(f"/v1/jobs/{name}")["state"]
              for name in ("load", "publish", "alarm", "report")}
    assert states == {"load": "failed", "publish": "cancelled", "alarm": "finished",
                      "report": "finished"}, states
    assert rmctl(cluster, "logs", "alarm") == "load has failed\n"
    assert "job 18 (load) failed" in re.sub(r"job \d+", "job 18", rmctl(cluster, "why", "publish"))


def test_nightly(cluster):
    rmctl(cluster, "schedule", "add", "nightly", "R/2026-01-01T02:00/P1D", "--tz", "Europe/Prague",
          "--catch-up", "last", "--epsilon", "1h", "--env", f"DIR={cluster.directory}/nightly",
          EXAMPLES / "nightly.toml")
    due = rmctl(cluster, "schedule", "next", "nightly", "-n", "400").split()
    # Two o'clock in Prague is one in UTC in winter, and midnight in summer.
    assert {time[10:] for time in due} == {"T01:00:00Z", "T00:00:00Z"}, due[:3]
    rmctl(cluster, "schedule", "trigger", "nightly")
    wait_until(lambda: any(run["state"] == "finished" for run in
                           cluster.get("/v1/schedules/nightly")["runs"]), "a run has finished")
    latest = (cluster.directory / "nightly/latest").read_text()
    assert re.fullmatch(r"night of \d{4}-\d\d-\d\d\n", latest), latest


def main():
    with Cluster(agents=2) as cluster:
        test_fan(cluster)
        test_failure(cluster)
        test_nightly(cluster)


if __name__ == "__main__":
    main()
