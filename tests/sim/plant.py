#!/usr/bin/python3
"""Plants known bugs into copies of the tree and asserts that the simulator finds each of them.

    tests/sim/plant.py [--seeds N] [--only NAME] [--jobs N] [--list] [--check]

A bug is a textual replacement that must match exactly once; --check asks for no more than that. The
copy is built with g++ directly, through ccache where it is installed. Exit code 1 where a bug is
not found, or no longer applies.
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
BATCH = "batch/src/core/"

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
        Edit(BATCH + "batch.cpp", '#include "batch/batch.hpp"\n',
             '#include "batch/batch.hpp"\n#include "change.hpp"\n'),
        Edit(BATCH + "batch.cpp",
             "    resume_job(now, job);\n",
             "    if (job.state == JobState::running && !job.cancel_requested && !job.elements) {\n"
             "      JobChangeRecord record = change_record({id, std::nullopt}, job);\n"
             "      record.state = JobState::pending;\n"
             "      persist(std::move(record), out);\n"
             "    }\n"
             "    resume_job(now, job);\n"),
    ]),
    Bug("overlapping-attempts", "an unreachable attempt is replaced whatever the policy says", [
        Edit(BATCH + "batch_reschedule.cpp",
             "  if (spec.lost == LostPolicy::rerun) {\n", "  {\n"),
    ]),
    Bug("forgotten-cordon", "an agent that returns is offered, cordoned or not", [
        Edit(CLUSTER + "master_agents.ipp",
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
        Edit(CLUSTER + "master_offers.ipp",
             "    for (Part& part : parts) launch(now, *framework, part, out);\n",
             "    if (parts.size() > 1) parts.pop_back();\n"
             "    for (Part& part : parts) launch(now, *framework, part, out);\n"),
    ]),
    Bug("forgotten-rescind", "offers that an earmark took back are not told to be over", [
        Edit(CLUSTER + "master_offers.ipp", "  rescind_all(allocator_->take_rescinded());\n",
             "  (void)allocator_->take_rescinded();\n"),
    ]),
    Bug("unfenced-leader", "neither agent nor master minds an epoch that is over", [
        Edit(CLUSTER + "agent.ipp", "if (message.epoch < epoch_highest_) {", "if (false) {"),
        Edit(CLUSTER + "master_agents.ipp", "if (message.epoch_highest > epoch_) {", "if (false) {"),
    ]),
    Bug("hasty-fence", "a fenced run starts anew without waiting for its bound", [
        Edit(BATCH + "batch_reschedule.cpp",
             "now.mono + bound + bound / fence_drift_divisor + spec.kill_grace + fence_margin);",
             "now.mono + bound / fence_drift_divisor + spec.kill_grace + fence_margin);"),
    ]),
    Bug("unknown-tail", "a reader refuses the trailing fields of a newer version", [
        Edit("librm/include/librm/wire/codec.hpp",
             "line->decode(payload, newer ? Trailing::ignored : Trailing::refused, dialect);",
             "line->decode(payload, Trailing::refused, dialect);"),
    ]),
    Bug("hasty-answer", "of what its agent has not yet reported the master says that it is dropped", [
        Edit(CLUSTER + "master_tasks.ipp",
             "    } else if (agent->second.in_allocator) {\n"
             "      // It registered since this master started, so its report would have named the"
             " task.\n",
             "    } else {\n"),
    ]),
]

SOURCES = ["librm/src/core/*.cpp", "librm/src/wire/*.cpp", "librm/src/sim/*.cpp",
           "librm/src/runtime/elector.cpp", "batch/src/core/*.cpp",
           "batch/src/edge/record_codec.cpp", "tests/sim/*.cpp"]


def copy_tree(root, target):
    for folder in ("librm/include", "librm/src", "batch/include", "batch/src", "tests/sim"):
        shutil.copytree(os.path.join(root, folder), os.path.join(target, folder))


def edited(bug, root):
    """What the bug makes of its files, and what of it does not apply."""
    texts, wrong = {}, []
    for edit in bug.edits:
        path = os.path.join(root, edit.path)
        if edit.path not in texts and not os.path.exists(path):
            wrong.append(f"{bug.name}: {edit.path}: there is no such file")
            continue
        if edit.path not in texts:
            with open(path, encoding="utf-8") as file:
                texts[edit.path] = file.read()
        found = texts[edit.path].count(edit.old)
        if found != 1:
            wrong.append(f"{bug.name}: {edit.path}: found {found} times, not once:\n{edit.old}")
        texts[edit.path] = texts[edit.path].replace(edit.old, edit.new)
    return texts, wrong


def check(bugs, root):
    """Whether every edit still applies: what is moved has to be moved here, too."""
    wrong = [line for bug in bugs for line in edited(bug, root)[1]]
    for line in wrong:
        print(f"plant: {line}")
    return not wrong


def plant(bug, tree):
    texts, wrong = edited(bug, tree)
    if wrong:
        sys.exit(f"plant: {wrong[0]}")
    for path, text in texts.items():
        with open(os.path.join(tree, path), "w", encoding="utf-8") as file:
            file.write(text)


def build(tree, parallel):
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

    with concurrent.futures.ThreadPoolExecutor(parallel) as pool:
        list(pool.map(compile_one, jobs))
    linker = ["-fuse-ld=mold"] if shutil.which("mold") else []
    subprocess.run(["g++"] + linker + [job[1] for job in jobs] + ["-o", "rm-sim"], cwd=tree,
                   check=True)


def run(tree, first, last):
    """Returns the failing seeds of a range with what is said of each; a crash counts, too."""
    failing = {}
    while first <= last:
        result = subprocess.run(
            ["./rm-sim", "--go-on", "--first", str(first), "--seeds", str(last - first + 1)],
            cwd=tree, capture_output=True, text=True, check=False)
        found = re.findall(r"^seed (\d+)(?: FAILS after [\d.]+ s)?: (.*)$", result.stdout, re.M)
        failing.update((int(seed), words) for seed, words in found)
        crashed = [int(seed) for seed, words in found if words.startswith("ended by signal")]
        if not crashed:
            break
        first = crashed[-1] + 1
    return failing


def run_all(tree, seeds, parallel):
    failing = {}
    step = -(-seeds // parallel)
    with concurrent.futures.ThreadPoolExecutor(parallel) as pool:
        for part in pool.map(lambda first: run(tree, first, min(first + step - 1, seeds)),
                             range(1, seeds + 1, step)):
            failing.update(part)
    return failing


def try_bug(bug, options):
    seeds = options.seeds
    with tempfile.TemporaryDirectory(prefix="rm-plant-") as tree:
        copy_tree(options.root, tree)
        plant(bug, tree)
        build(tree, options.jobs)
        failing = run_all(tree, seeds, options.jobs)
    if failing:
        first = min(failing)
        print(f"{bug.name}: found by {len(failing)} of {seeds} seeds, first by seed {first}: "
              f"{failing[first]}", flush=True)
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
    parser.add_argument("--jobs", type=int, default=os.cpu_count(),
                        help="compilers and simulators at a time")
    parser.add_argument("--list", action="store_true", help="names the bugs")
    parser.add_argument("--check", action="store_true",
                        help="only whether every bug still applies to the tree")
    parser.add_argument("--root", default=default_root)
    options = parser.parse_args()
    bugs = [bug for bug in BUGS if options.only in (None, bug.name)]
    if options.list or not bugs:
        for bug in BUGS:
            print(f"{bug.name}: {bug.story}")
        return 0 if options.list else 2
    if options.check:
        return 0 if check(bugs, options.root) else 1
    results = [try_bug(bug, options) for bug in bugs]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
