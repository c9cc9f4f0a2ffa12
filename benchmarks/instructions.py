#!/usr/bin/python3
"""How many instructions does one decision of the allocator take, whatever the machine is doing?

    benchmarks/instructions.py [PATH OF bench-allocator-shapes]

One decision: a task ends, its agent is offered, and the offer is accepted. Counted by callgrind
(apt-get install valgrind) as the instructions of release(), run() and accept(), each divided by its
calls; setting up the cluster is a part of the counts, of some in a hundred.
"""

import os
import re
import subprocess
import sys
import tempfile

PARTS = ("release", "run", "accept")


def count(program, agents, frameworks):
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "callgrind.out")
        result = subprocess.run(
            ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", program,
             f"--benchmark_filter=^freed_to_offered/{agents}/{frameworks}$",
             "--benchmark_min_time=3"], capture_output=True, text=True, check=True)
        if "ERROR OCCURRED" in result.stdout:
            sys.exit(result.stdout)
        table = subprocess.run(["callgrind_annotate", "--inclusive=yes", "--threshold=100", out],
                               capture_output=True, text=True, check=True).stdout
        calls = count_calls(out)
    instructions = {}
    for name in PARTS:
        pattern = r"^\s*([\d,]+) \([^)]*\)\s+\S*librm::Allocator::" + name + r"\("
        found = [int(text.replace(",", "")) for text in re.findall(pattern, table, re.M)]
        # An overload that passes on to another one is called as often as that.
        instructions[name] = max(found, default=0) // max(calls[name], 1)
    return calls["release"], instructions


def count_calls(path):
    """How often each part was called: the most frequent overload."""
    names, counts, callee = {}, {}, ""
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.startswith(("cfn=", "fn=")):
                number, _, name = line.split("=", 1)[1].strip().partition(" ")
                if name:
                    names[number] = name
                if line.startswith("cfn="):
                    callee = names[number]
            elif line.startswith("calls="):
                counts[callee] = counts.get(callee, 0) + int(line[6:].split()[0])
    result = {}
    for part in PARTS:
        start = f"librm::Allocator::{part}("
        result[part] = max((n for name, n in counts.items() if name.startswith(start)), default=0)
    return result


def main():
    root = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    program = sys.argv[1] if len(sys.argv) > 1 else root + "/build/bin/bench-allocator-shapes"
    for agents, frameworks in ((1000, 1), (1000, 50), (1000, 1000)):
        decisions, instructions = count(program, agents, frameworks)
        parts = ", ".join(f"{name} {part}" for name, part in instructions.items())
        print(f"{agents} agents, {frameworks} frameworks: {sum(instructions.values())} instructions"
              f" a decision ({parts}; {decisions} decisions)", flush=True)


if __name__ == "__main__":
    main()
