#!/usr/bin/python3
"""Plants known bugs into copies of the tree and asserts that the simulator finds each of them.

    tests/sim/plant.py [--seeds N] [--only NAME] [--list]

A bug is a textual replacement that must match exactly once. The copy is built with g++ directly,
through ccache where it is installed. Exit code 1 where a bug is not found, or no longer applies.
"""

import argparse
import concurrent.futures
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import namedtuple

Edit = namedtuple("Edit", "path old new")
Bug = namedtuple("Bug", "name story edits")

CLUSTER = "librm/include/librm/cluster/impl/"

BUGS = [
    Bug("lost-acknowledgement", "the agent forgets an end as soon as it has sent it", [
        Edit(CLUSTER + "agent.ipp",
             "    message.updates.push_back(task.record.latest);\n",
             "    message.updates.push_back(task.record.latest);\n"
             "    if (is_terminal(task.record.latest.state)) forget(key, out);\n"),
    ]),
    Bug("effects-before-records", "outputs leave before the records that precede them are durable", [
        Edit("librm/include/librm/runtime/driver.hpp",
             "waiting_.emplace_back(appended_ + records.size(),",
             "waiting_.emplace_back(Lsn{0},"),
    ]),
    Bug("double-launch", "after a recovery the batch front end launches anew instead of asking", [
        Edit("batch/src/core/batch.cpp",
             "    refresh(now, job);\n  }\n  settling_.insert(",
             "    if (job.state == JobState::running && !job.cancel_requested) {\n"
             "      JobChangeRecord record = change_of(job);\n"
             "      record.state = JobState::pending;\n"
             "      persist(std::move(record), out);\n"
             "    }\n"
             "    refresh(now, job);\n  }\n  settling_.insert("),
    ]),
    Bug("overlapping-attempts", "an unreachable attempt is replaced whatever the policy says", [
        Edit("batch/src/core/batch_update.cpp",
             "if (job.spec.lost == LostPolicy::rerun && alone &&", "if (alone &&"),
    ]),
    Bug("forgotten-cordon", "an agent that returns is offered, cordoned or not", [
        Edit(CLUSTER + "master.ipp",
             "if (agent.service.service != AgentService::normal || !agent.connection) {",
             "if (!agent.connection) {"),
    ]),
    Bug("hasty-drain", "an agent of which nothing is known counts as drained", [
        Edit(CLUSTER + "master_maintenance.ipp",
             "if (!agent.connection || !agent.in_allocator) return;",
             "if (!agent.connection && !agent.tasks.empty()) return;"),
    ]),
    Bug("exceeded-limit", "an offer may take half a CPU more than a role's limit leaves", [
        Edit("librm/include/librm/alloc/impl/allocator_quota.ipp",
             "most = std::min(most, *room);", "most = std::min(most, *room + 500);"),
    ]),
    Bug("split-gang", "of what is accepted together the last part is forgotten", [
        Edit(CLUSTER + "master_tasks.ipp",
             "    for (Part& part : parts) launch(now, *framework, part, out);\n",
             "    if (parts.size() > 1) parts.pop_back();\n"
             "    for (Part& part : parts) launch(now, *framework, part, out);\n"),
    ]),
    Bug("forgotten-rescind", "offers that an earmark took back are not told to be over", [
        Edit(CLUSTER + "master_tasks.ipp", "  rescind_all(allocator_->take_rescinded());\n",
             "  (void)allocator_->take_rescinded();\n"),
    ]),
    Bug("unfenced-leader", "neither agent nor master minds an epoch that is over", [
        Edit(CLUSTER + "agent.ipp", "if (message.epoch < epoch_highest_) {", "if (false) {"),
        Edit(CLUSTER + "master.ipp", "if (message.epoch_highest > epoch_) {", "if (false) {"),
    ]),
]

SOURCES = ["librm/src/core/*.cpp", "librm/src/wire/*.cpp", "librm/src/sim/*.cpp",
           "batch/src/core/*.cpp", "batch/src/edge/record_codec.cpp", "tests/sim/*.cpp"]


def copy_tree(root, target):
    for folder in ("librm/include", "librm/src", "batch/include", "batch/src", "tests/sim"):
        shutil.copytree(os.path.join(root, folder), os.path.join(target, folder))


def plant(bug, tree):
    for edit in bug.edits:
        path = os.path.join(tree, edit.path)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        if text.count(edit.old) != 1:
            sys.exit(f"plant: {bug.name}: {edit.path}: found {text.count(edit.old)} times, not "
                     f"once:\n{edit.old}")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace(edit.old, edit.new))


def build(tree):
    """Compiles with relative paths, so that ccache knows unchanged files from earlier copies."""
    compiler = ["g++", "-std=c++20", "-O1", "-w", "-Ilibrm/include", "-Ibatch/include"]
    environment = dict(os.environ)
    if shutil.which("ccache"):
        compiler.insert(0, "ccache")
        environment["CCACHE_BASEDIR"] = tree
        environment["CCACHE_NOHASHDIR"] = "1"
    jobs = []
    for pattern in SOURCES:
        for source in sorted(glob.glob(os.path.join(tree, pattern))):
            source = os.path.relpath(source, tree)
            jobs.append((source, source.replace("/", "_") + ".o"))

    def compile_one(job):
        command = compiler + ["-c", job[0], "-o", job[1]]
        subprocess.run(command, cwd=tree, env=environment, check=True)

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(compile_one, jobs))
    linker = ["-fuse-ld=mold"] if shutil.which("mold") else []
    subprocess.run(["g++"] + linker + [job[1] for job in jobs] + ["-o", "rm-sim"], cwd=tree,
                   check=True)


def run(tree, seeds):
    """Returns the failing seeds and what is said of the first; a crash counts as a failure."""
    failing, first_words, next_seed = [], "", 1
    while next_seed <= seeds:
        result = subprocess.run(
            ["./rm-sim", "--go-on", "--first", str(next_seed), "--seeds",
             str(seeds - next_seed + 1)],
            cwd=tree, capture_output=True, text=True, check=False)
        found = re.findall(r"^seed (\d+)(?: FAILS after [\d.]+ s)?: (.*)$", result.stdout, re.M)
        failing += [int(seed) for seed, words in found]
        first_words = first_words or (found[0][1] if found else "")
        crashed = [int(seed) for seed, words in found if words.startswith("ended by signal")]
        if not crashed:
            break
        next_seed = crashed[-1] + 1
    return failing, first_words


def try_bug(bug, root, seeds):
    with tempfile.TemporaryDirectory(prefix="rm-plant-") as tree:
        copy_tree(root, tree)
        plant(bug, tree)
        build(tree)
        failing, words = run(tree, seeds)
    if failing:
        print(f"{bug.name}: found by {len(failing)} of {seeds} seeds, first by seed {failing[0]}: "
              f"{words}", flush=True)
    else:
        print(f"{bug.name}: NOT FOUND in {seeds} seeds ({bug.story})", flush=True)
    return bool(failing)


def main():
    default_root = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                                 "..", ".."))
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=300)
    parser.add_argument("--only", help="this bug alone")
    parser.add_argument("--list", action="store_true", help="names the bugs")
    parser.add_argument("--root", default=default_root)
    options = parser.parse_args()
    bugs = [bug for bug in BUGS if options.only in (None, bug.name)]
    if options.list or not bugs:
        for bug in BUGS:
            print(f"{bug.name}: {bug.story}")
        return 0 if options.list else 2
    results = [try_bug(bug, options.root, options.seeds) for bug in bugs]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
