"""Pipelines whose tasks note their own starts, and what these must agree with."""

import collections

WIDTH = 12


def pipeline(log, prefix, lost):
    """Fan-out and fan-in; every task notes its own start first, then works for a moment."""
    note = f'echo "$RM_TASK_ID" >> {log}; '
    work = note + "sleep 0.4"
    jobs = [{"name": f"{prefix}-extract", "command": note + "sleep 0.2"}]
    for n in range(WIDTH):
        jobs.append({"name": f"{prefix}-transform-{n}", "command": work, "lost": lost,
                     "after_ok": [f"{prefix}-extract"]})
    jobs.append({"name": f"{prefix}-load", "command": note + "true",
                 "after_ok": [f"{prefix}-transform-{n}" for n in range(WIDTH)]})
    for job in jobs:
        job.update(cpus=1, mem=64, lost=lost)
    return jobs


def starts(log):
    return log.read_text().split() if log.exists() else []


def check_starts(log, jobs):
    """Each attempt that the store knows as started did start once, and nothing else ever did."""
    counted = collections.Counter(starts(log))
    twice = {task: n for task, n in counted.items() if n > 1}
    assert not twice, f"started twice: {twice}"
    known = {a["task"]: a for job in jobs for a in job["attempts"]}
    strangers = set(counted) - set(known)
    assert not strangers, f"started, and unknown to the store: {strangers}"
    for task, attempt in known.items():
        # What was killed or lost may have been so before its first word.
        if attempt["state"] in ("finished", "failed"):
            assert counted[task] == 1, f"{task} is {attempt['state']}, and never started"
        if attempt["state"] == "dropped":
            assert counted[task] == 0, f"{task} is dropped, and did start"
