#!/usr/bin/python3
"""Plants known bugs into copies of the allocator and asserts that its tests find each of them.

    tests/unit/alloc/plant.py [--only NAME] [--list]

A bug is a textual replacement that must match exactly once. The copy is built with g++ directly,
through ccache where it is installed. Exit code 1 where a bug is not found, or no longer applies.
"""

import argparse
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import namedtuple

Bug = namedtuple("Bug", "name story path old new")

ALLOC = "librm/include/librm/alloc/impl/"

BUGS = [
    Bug("dropped-filter", "the filter of the framework with the highest number is not looked at",
        ALLOC + "filters.hpp",
        "      if (held) marks_[filter.member] = mark_;\n",
        "      if (held && &filter != &agent.filters.back()) marks_[filter.member] = mark_;\n"),
    Bug("immortal-filter", "a filter's end is not waited for",
        ALLOC + "allocator_run.ipp",
        "  while (Agent* agent = filters.end_next(clock)) touch(*agent);\n",
        "  while (filters.end_next(clock) != nullptr) {}\n"),
    Bug("split-gang", "the other offers of a gang stay when one ends",
        ALLOC + "allocator_demands.ipp",
        "  if (gang.offers.size() >= gang.need) {\n", "  if (!gang.offers.empty()) {\n"),
    Bug("early-gang", "an earmark starts when all of its agents but one are ready",
        ALLOC + "allocator_demands.ipp",
        "if (earmark.ready == earmark.agents.size()) ready.push_back(id);",
        "if (earmark.ready + 1 >= earmark.agents.size() && earmark.ready > 0) ready.push_back(id);"),
    Bug("long-loan", "what is lent may be kept beyond the planned start",
        ALLOC + "allocator_offers.ipp",
        "(use.until && *use.until <= *offer.lent_until)) continue;",
        "use.until) continue;"),
    Bug("quota-off-by-a-thousandth", "a limit lets one thousandth more through",
        ALLOC + "quota_book.hpp",
        "if (limit.id == id) return std::max<std::int64_t>(0, limit.milli - role.quota.charged[id]);",
        "if (limit.id == id) return std::max<std::int64_t>(0, limit.milli + 1 - role.quota.charged[id]);"),
    Bug("forgotten-charge", "what a child takes is not charged to its parent",
        ALLOC + "quota_book.hpp",
        "    for (Role* at = &role; at != &root_; at = at->above()) {\n"
        "      for (const ScalarAmount& amount : amounts) {\n",
        "    for (Role* at = &role; at == &role; at = at->above()) {\n"
        "      for (const ScalarAmount& amount : amounts) {\n"),
    Bug("spent-headroom", "what is guaranteed to others is given away",
        ALLOC + "allocator_quota.ipp",
        "  std::int64_t most = unmet > 0 ? unmet : std::max<std::int64_t>(0, quotas.surplus(id));\n",
        "  std::int64_t most = unmet > 0 ? unmet : std::max<std::int64_t>(0, quotas.free(id));\n"),
    Bug("lost-rescind", "an offer is taken back for an earmark and nobody is told",
        ALLOC + "allocator_demands.ipp",
        "    if (offers.at(id).offer.earmark) continue;\n    rescinded.push_back(id);\n",
        "    if (offers.at(id).offer.earmark) continue;\n"),
    Bug("leaked-release", "what is released is booked, but does not become free on its agent",
        ALLOC + "allocator_state.ipp",
        "    give_free(agent, shared.empty() ? resources : resources - shared);\n"
        "    book(member, resources, -1);\n",
        "    if (agent.ends.empty()) give_free(agent, shared.empty() ? resources : resources - shared);\n"
        "    book(member, resources, -1);\n"),
    Bug("stale-share", "a change of weight does not reach the order",
        ALLOC + "tree.hpp",
        "      node.share = scalars_.dominant_share(node.held, weight_milli);\n", ""),
    Bug("unfair-sibling", "the weight of a role inside another one does not count",
        ALLOC + "tree.hpp",
        "    const auto renew = [&] {\n"
        "      node.share = scalars_.dominant_share(node.held, node.weight_milli);\n",
        "    const auto renew = [&] {\n"
        "      node.share = scalars_.dominant_share(node.held, node.parent->parent == nullptr ? "
        "node.weight_milli : 1000);\n"),
    Bug("half-accept", "a part of what was accepted may be more than was offered",
        ALLOC + "allocator_offers.ipp",
        "  for (const Use& use : part.uses) used += use.resources;\n",
        "  for (const Use& use : part.uses) used = use.resources;\n"),
    Bug("shallow-clone", "a clone forgets what ends when",
        ALLOC + "allocator_clone.ipp",
        "    for (detail::HeldUntil& end : entry.ends) end.member = member(end.member);\n",
        "    entry.ends.clear();\n"),
]

SOURCES = ["librm/src/core/alloc.cpp", "librm/src/core/base.cpp", "librm/src/core/resource.cpp",
           "tests/unit/alloc/*.cpp"]


def build(tree):
    """Compiles with relative paths, so that ccache knows unchanged files from earlier copies."""
    compiler = ["g++", "-std=c++20", "-O1", "-w", "-Ilibrm/include", "-Itests",
                "-DRM_SOURCE_DIR=\".\""]
    environment = dict(os.environ, CCACHE_BASEDIR=tree, CCACHE_NOHASHDIR="1")
    if shutil.which("ccache"):
        compiler.insert(0, "ccache")
    objects = []
    for pattern in SOURCES:
        for source in sorted(glob.glob(os.path.join(tree, pattern))):
            source = os.path.relpath(source, tree)
            objects.append(source.replace("/", "_") + ".o")
            subprocess.run(compiler + ["-c", source, "-o", objects[-1]], cwd=tree, env=environment,
                           check=True)
    subprocess.run(["g++"] + objects + ["-lgtest", "-lgtest_main", "-lpthread", "-o", "unit-alloc"],
                   cwd=tree, check=True)


def run(tree):
    """The names of the tests that fail; a crash, or an endless one, counts."""
    try:
        result = subprocess.run(["./unit-alloc"], cwd=tree, capture_output=True, text=True,
                                timeout=300, check=False)
    except subprocess.TimeoutExpired:
        return ["(it did not end)"]
    failed = re.findall(r"^\[  FAILED  \] (\S+)(?:, where| \()", result.stdout, re.M)
    if not failed and result.returncode != 0:
        return [f"(ended with {result.returncode}: {result.stderr.strip()[-80:]})"]
    return failed


def try_bug(bug, root):
    with tempfile.TemporaryDirectory(prefix="rm-plant-") as tree:
        for folder in ("librm/include", "librm/src", "tests/unit/alloc"):
            shutil.copytree(os.path.join(root, folder), os.path.join(tree, folder))
        path = os.path.join(tree, bug.path)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        if text.count(bug.old) != 1:
            print(f"{bug.name}: {bug.path}: found {text.count(bug.old)} times, not once:\n{bug.old}")
            return False
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace(bug.old, bug.new))
        build(tree)
        failed = run(tree)
    if failed:
        print(f"{bug.name}: found by {len(failed)} tests, first by {failed[0]}", flush=True)
    else:
        print(f"{bug.name}: NOT FOUND ({bug.story})", flush=True)
    return bool(failed)


def main():
    root = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), *[".."] * 3))
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="this bug alone")
    parser.add_argument("--list", action="store_true", help="names the bugs")
    options = parser.parse_args()
    bugs = [bug for bug in BUGS if options.only in (None, bug.name)]
    if options.list or not bugs:
        for bug in BUGS:
            print(f"{bug.name}: {bug.story}")
        return 0 if options.list else 2
    results = [try_bug(bug, root) for bug in bugs]
    print(f"{sum(results)} of {len(results)} planted bugs were found")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
