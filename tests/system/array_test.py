#!/usr/bin/python3
"""Arrays run each element once, element by element after each other, also when the master dies."""

import json
import os
import subprocess

from _cluster import BIN, Cluster, wait_until


def rmctl(cluster, *arguments):
    done = subprocess.run([BIN / "rmctl", *arguments], capture_output=True, text=True, timeout=30,
                          env={**os.environ, "RM_MASTER": cluster.master.field("http")})
    assert done.returncode == 0, (arguments, done)
    return done.stdout


def elements(cluster, job, query=""):
    """All of them, page by page."""
    found, cursor = [], None
    while True:
        page = cluster.get(f"/v1/jobs/{job}/elements?limit=7{query}"
                           + (f"&cursor={cursor}" if cursor else ""))
        found += page["elements"]
        cursor = page["next_cursor"]
        if not cursor:
            return found


def counts(cluster, job):
    return cluster.get(f"/v1/jobs/{job}")["array"]["counts"]


def lines(path):
    return sorted(path.read_text().split()) if path.exists() else []


def check_limit_and_retries(cluster, directory):
    """Element 3 fails at first, and never more than two run at the same time."""
    script = (f"echo $RM_ARRAY_INDEX >> {directory}/starts; "
              "test $RM_ARRAY_INDEX != 3 -o $RM_ATTEMPT != 1")
    [job] = cluster.submit({"name": "twice", "command": script, "array": "0-9%2", "retries": 1})
    [ended] = cluster.wait_terminal([job])
    assert ended["state"] == "finished" and ended["exit_code"] == 0, ended
    assert lines(directory / "starts") == sorted([str(n) for n in range(10)] + ["3"])
    attempts = {element["index"]: element["attempt"] for element in elements(cluster, job)}
    assert attempts == {**{n: 1 for n in range(10)}, 3: 2}, attempts
    # What ran at the same time, by the times that the tasks' own processes began and ended.
    spans = []
    for index in range(10):
        for attempt in cluster.get(f"/v1/jobs/{job}_{index}")["attempts"]:
            spans += [(attempt["launched"], 1), (attempt["ended"], -1)]
    running = most = 0
    for _, change in sorted(spans):
        running += change
        most = max(most, running)
    assert most <= 2, spans


def check_element_after_element(cluster, directory):
    marks = directory / "order"
    one = f"echo a$RM_ARRAY_INDEX >> {marks}; test $RM_ARRAY_INDEX != 1"
    ids = cluster.submit(
        {"name": "left", "command": one, "array": "0-2"},
        {"name": "right", "command": f"echo b$RM_ARRAY_INDEX >> {marks}", "array": "0-2",
         "after_corr": ["left"]})
    left, right = cluster.wait_terminal(ids)
    assert left["state"] == "failed" and right["state"] == "cancelled", (left, right)
    assert right["reason"].startswith("1 of 3 elements cancelled: DependencyNeverSatisfied"), right
    order = marks.read_text().split()
    assert sorted(order) == ["a0", "a1", "a2", "b0", "b2"], order
    assert all(order.index("a" + n) < order.index("b" + n) for n in "02"), order


def check_master_dies(cluster, directory):
    """Each element leaves one line, whatever happens to the master meanwhile."""
    gate, starts = directory / "gate", directory / "crash-starts"
    script = (f"echo $RM_ARRAY_INDEX >> {starts}; "
              f"until test -e {gate}; do sleep 0.02; done; echo said $RM_ARRAY_INDEX")
    [job] = cluster.submit({"name": "survivor", "command": script, "array": "0-11%4",
                            "cpus": 0.5})
    wait_until(lambda: len(lines(starts)) == 4, "four elements run")
    cluster.request("POST", f"/v1/jobs/{job}%5B9-11%5D/cancel")
    cluster.master.kill()
    cluster.master.start()
    wait_until(lambda: counts(cluster, job)["running"] == 4, "the master knows them again")
    assert counts(cluster, job)["cancelled"] == 3
    gate.touch()
    [ended] = cluster.wait_terminal([job])
    assert ended["state"] == "cancelled" and ended["array"]["counts"]["finished"] == 9, ended
    assert lines(starts) == sorted(str(n) for n in range(9)), lines(starts)
    assert rmctl(cluster, "logs", f"{job}_5") == "said 5\n"
    assert json.loads(rmctl(cluster, "show", "-o", "json", "survivor[9]"))["state"] == "cancelled"


def main():
    with Cluster(agents=2) as cluster:
        directory = cluster.directory
        check_limit_and_retries(cluster, directory)
        check_element_after_element(cluster, directory)
        check_master_dies(cluster, directory)


if __name__ == "__main__":
    main()
