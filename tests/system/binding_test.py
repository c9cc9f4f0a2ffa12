#!/usr/bin/python3
"""Tasks with whole cpus have hardware threads of their own, also after their agent has restarted."""

import json
import os
import pathlib
import sys
import tempfile
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from _cluster import Cluster, wait_until  # noqa: E402


def bound_task(directory, name, **fields):
    """Writes the processors that it may use, then waits to be told to end."""
    return {"name": name, "cpus": 1, "mem": 32, **fields,
            "command": f"grep Cpus_allowed_list /proc/self/status > {directory}/{name}.new && "
                       f"mv {directory}/{name}.new {directory}/{name}; "
                       f"until [ -e {directory}/{name}.end ]; do sleep 0.05; done"}


def allowed(directory, name):
    """The text of the kernel, such as `0` or `0-1`, once the task runs."""
    file = directory / name
    wait_until(file.exists, f"task {name} runs")
    return file.read_text().split()[1]


def agent_tasks(cluster):
    url = f"http://{cluster.agents[0].field('http')}/v1/tasks"
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.loads(answer.read())["tasks"]


def count(text):
    return sum(int(last or first) - int(first) + 1
               for first, _, last in (part.partition("-") for part in text.split(",")))


def run(directory):
    all_of_us = ",".join(str(cpu) for cpu in sorted(os.sched_getaffinity(0)))
    with Cluster(agents=1, resources="cpus:2;mem:4096") as cluster:
        ids = cluster.submit(bound_task(directory, "a"), bound_task(directory, "b"))
        a, b = allowed(directory, "a"), allowed(directory, "b")
        assert count(a) == 1 and count(b) == 1, (a, b)
        assert a != b, f"two tasks share processor {a} while another is free"
        said = {task["name"]: task["cpus"] for task in agent_tasks(cluster)}
        assert said == {"a": a, "b": b}, said
        node = cluster.connected()[0]["id"]
        assert cluster.get(f"/v1/nodes/{node}")["topology"].startswith("Package:"), node

        # One ends, and the next agent knows from its ledger where the other one is.
        (directory / "b.end").touch()
        assert cluster.wait_terminal(ids[1:])[0]["state"] == "finished"
        cluster.agents[0].kill()
        cluster.agents[0].start()
        wait_until(cluster.connected, "the agent registered again")
        later = cluster.submit(bound_task(directory, "c"))
        assert allowed(directory, "c") == b, "the free processor is the one that was left"

        # Less than one cpu is bound, too; an agent that is told so binds nothing.
        for name in ("a", "c"):
            (directory / f"{name}.end").touch()
        cluster.wait_terminal([ids[0], *later])
        half = cluster.submit(bound_task(directory, "half", cpus=0.5))
        assert count(allowed(directory, "half")) == 1
        cluster.agents[0].kill()
        cluster.agents[0].command += ["--bind", "none"]
        cluster.agents[0].start()
        wait_until(cluster.connected, "the agent registered again")
        free = cluster.submit(bound_task(directory, "free"))
        assert count(allowed(directory, "free")) == count(all_of_us)
        for name in ("half", "free"):
            (directory / f"{name}.end").touch()
        cluster.wait_terminal(half + free)


if len(os.sched_getaffinity(0)) < 2:
    print("skipped: one processor is always one's own; this needs two")
    sys.exit(77)
with tempfile.TemporaryDirectory(prefix="rm-test-") as place:
    run(pathlib.Path(place))
print("ok")
