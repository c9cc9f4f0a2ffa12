#!/usr/bin/python3
"""How many no-op tasks a second does one node take from submission to durable record?

Submits N jobs in one NDJSON request to a real master with one real agent, waits until every one is
durably finished, and divides by the machine's own limit (posix_spawn and wait of the same program,
in the same run). Also prints the CPU time of each stage. Asserts that every task ran: the ratio of
work that was not done is of no interest.

    benchmarks/throughput.py [--tasks 5000] [--slots 8] [--program /bin/true] [--runs 3]
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
os.environ.setdefault("RM_BIN_DIR", str(ROOT / "build" / "bin"))
sys.path.insert(0, str(ROOT / "tests" / "system"))
from _cluster import BIN, Cluster, wait_until  # noqa: E402

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid, children=False):
    """User and system time of a process, or of its reaped children."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    first = 13 if children else 11
    return (int(fields[first]) + int(fields[first + 1])) / TICKS_PER_SECOND


def stages(cluster):
    """CPU seconds so far of each process that a task passes through."""
    shepherd = cluster.shepherd_pid(1)
    return {
        "rm-master": cpu_seconds(cluster.master.process.pid),
        "rm-agent": cpu_seconds(cluster.agents[0].process.pid),
        "rm-shepherd": cpu_seconds(shepherd),
        "the tasks themselves": cpu_seconds(shepherd, children=True),
    }


def floor(program, tasks):
    """The limit with two workers, which is what two cores can give."""
    out = subprocess.run([BIN / "bench-spawn-floor", str(tasks), "2", program], check=True,
                         capture_output=True, text=True).stdout
    return json.loads(out)["per_second"]


def measure(program, tasks, slots):
    with Cluster(agents=1, resources=f"cpus:{slots};mem:100000") as cluster:
        lines = "".join(json.dumps({"argv": [program], "cpus": 1, "mem": 1}) + "\n"
                        for _ in range(tasks)).encode()
        before = stages(cluster)
        start = time.monotonic()
        status, answer = cluster.request("POST", "/v1/jobs", lines,
                                         {"Content-Type": "application/x-ndjson"})
        assert status == 201 and len(answer["jobs"]) == tasks, (status, str(answer)[:300])
        submitted = time.monotonic() - start

        def finished():
            counts = cluster.get("/v1/state")["jobs"]
            assert counts.get("failed", 0) == 0, counts
            return counts.get("finished", 0) == tasks
        wait_until(finished, f"{tasks} jobs finished", 120)
        seconds = time.monotonic() - start
        after = stages(cluster)
        attempts = cluster.job("last")["attempts"]
        assert len(attempts) == 1 and attempts[0]["exit_code"] == 0, attempts
    return {
        "per_second": tasks / seconds,
        "submit_per_second": tasks / submitted,
        "cpu_us": {k: (after[k] - before[k]) / tasks * 1e6 for k in after},
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tasks", type=int, default=5000)
    parser.add_argument("--slots", type=int, default=8, help="tasks at a time")
    parser.add_argument("--program", default="/bin/true")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()

    ratios, rates, limits, submits, cpu = [], [], [], [], []
    for _ in range(options.runs):
        # In turn, so that both see the machine in the same mood.
        limit = floor(options.program, options.tasks)
        run = measure(options.program, options.tasks, options.slots)
        ratios.append(run["per_second"] / limit)
        rates.append(run["per_second"])
        limits.append(limit)
        submits.append(run["submit_per_second"])
        cpu.append(run["cpu_us"])

    def spread(values, form="{:.0f}"):
        return (f"{form.format(statistics.median(values))} "
                f"({form.format(min(values))} to {form.format(max(values))})")

    print(f"{options.tasks} x {options.program}, {options.slots} at a time, "
          f"{options.runs} runs: median (min to max)")
    print(f"  submission to durable record   {spread(rates)} tasks/s")
    print(f"  posix_spawn and wait, 2 workers {spread(limits)} processes/s")
    print(f"  ratio                          {spread(ratios, '{:.2f}')}")
    print(f"  submission alone               {spread(submits)} jobs/s")
    print("  CPU time of a task, by stage (us)")
    for stage in cpu[0]:
        print(f"    {stage:<22} {spread([c[stage] for c in cpu])}")


if __name__ == "__main__":
    main()
