#!/usr/bin/python3
"""Checks the house rules that no compiler knows: lint.py [ROOT] lists what breaks them."""

import argparse
import os
import re
import subprocess
import sys
from collections import namedtuple

import rules

Finding = namedtuple("Finding", "rule path line text")

CPP = (".cpp", ".hpp", ".ipp")
SIZED = CPP + (".py", ".sh")
TEXT = SIZED + (".cmake", ".txt", ".md", ".json", ".toml", ".yaml", ".in", ".html", ".js", ".css")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
OURS = re.compile(r"(librm|hwtopo|netiso|batch)/")
STRIP = re.compile(
    r'//[^\n]*|/\*.*?\*/'
    r'|R"([^\s()\\]{0,16})\(.*?\)\1"|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'",  # not the separators in 1'000
    re.DOTALL)


def strip_comments_and_strings(source):
    """Keeps the line structure, so that findings can name their line."""
    return STRIP.sub(lambda m: re.sub(r"[^\n]+", '""', m.group(), count=1)
                     if m.group().startswith(('"', "R"))
                     else "".join(c for c in m.group() if c == "\n"), source)


def list_files(root):
    """What git tracks or would track; without git, everything but build folders."""
    if os.path.exists(os.path.join(root, ".git")):
        listing = subprocess.run(
            ["git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            check=True, capture_output=True).stdout.decode()
        return sorted(path for path in set(listing.split("\0"))
                      if path and os.path.isfile(os.path.join(root, path)))
    found = []
    for folder, subfolders, names in os.walk(root):
        subfolders[:] = [s for s in subfolders if s not in ("build", ".git", "__pycache__")]
        found += [os.path.relpath(os.path.join(folder, name), root) for name in names]
    return sorted(found)


def room_of(path):
    for pattern, room in rules.ROOMS:
        if pattern.match(path):
            return room
    return None


def path_of_include(path, name, files):
    """The file in the tree that an include of ours means, or None."""
    if OURS.match(name):
        candidate = name.split("/")[0] + "/include/" + name
        if candidate in files or name not in files:
            return candidate
    for base in (os.path.dirname(path), "daemons", "batch", "tests", ""):
        candidate = os.path.normpath(os.path.join(base, name))
        if candidate in files:
            return candidate
    return None


def check_include(path, room, quote, name, files):
    """Yields (rule, text) for one include line."""
    target = path_of_include(path, name, files) if quote == '"' or OURS.match(name) else None
    if target:
        other = room_of(target)
        if other != room and other not in rules.MAY_INCLUDE[room]:
            yield "include", f"{room} must not include {name} ({other or 'no room'})"
        return
    for library, pattern, rooms in rules.LIBRARIES:
        if pattern.match(name) and room not in rooms:
            yield "include", f"{room} must not include {library}: {name}"
            return
    if room in rules.CORES:
        if quote == '"':
            yield "include", f"{room} includes {name}, which is not in the tree"
        elif name in rules.CORE_HEADERS_FORBIDDEN:
            yield "include", f"{room} is a core and must not include <{name}>"
        elif name != "tl/expected.hpp" and re.search(r"[./]", name):
            yield "include", f"{room} is a core: standard library and tl::expected only, not <{name}>"


def check_cpp(path, source, files):
    room = room_of(path)
    lines = source.split("\n")
    if path.endswith((".hpp", ".ipp")) and "#pragma once" not in source:
        yield Finding("pragma-once", path, 1, "a header needs #pragma once")
    if room is None:
        yield Finding("room", path, 1, "this file is in no room of tests/lint/rules.py")
        return
    for number, line in enumerate(lines, 1):
        match = INCLUDE.match(line)
        if match:
            for rule, text in check_include(path, room, match[1], match[2], files):
                yield Finding(rule, path, number, text)
    for number, line in enumerate(strip_comments_and_strings(source).split("\n"), 1):
        if room in rules.CORES and not INCLUDE.match(line):
            for name, pattern in rules.CORE_CALLS_FORBIDDEN:
                match = pattern.search(line)
                if match:
                    yield Finding("core-call", path, number,
                                  f"{room} is a core and must not use {name}: {match.group()}")
            if any(pattern.match(line) for pattern in rules.STATIC_MUTABLE):
                yield Finding("static", path, number, "a core has no static mutable object")
        if room in rules.FLOAT_FORBIDDEN_IN and rules.FLOAT.search(line):
            yield Finding("float", path, number, "resources and shares are integers")


def opening_comment(path, source):
    """The first comment's words, or None where a file may open otherwise."""
    name = os.path.basename(path)
    first = re.sub(r"\A#![^\n]*\n", "", source).lstrip("\n")
    if path.endswith(CPP):
        return re.match(r"(?://[^\n]*\n)+", first)
    if path.endswith(".py"):
        return re.match(r'(?:#[^\n]*\n)+|"""', first) and re.match(r"[^\n]+(?:\n[^\n]+)?", first)
    if path.endswith((".sh", ".cmake")) or name == "CMakeLists.txt" or source.startswith("#!"):
        return re.match(r"(?:#[^\n]*\n)+", first)
    if path.endswith((".js", ".css")):
        return re.match(r"(?://[^\n]*\n)+|/\*", first) and re.match(r"[^\n]+", first)
    return True


def check_text(path, source):
    comment = opening_comment(path, source)
    if not comment or (comment is not True and len(re.findall(r"\w+", comment.group())) < 3):
        yield Finding("opening", path, 1, "a file opens with one sentence that says what it is for")
    for number, line in enumerate(source.split("\n"), 1):
        match = rules.LEFTOVER.search(line)
        if match:
            yield Finding("leftover", path, number, f"{match.group()} does not land")
        match = rules.MACHINE_PATH.search(line)
        if match:
            yield Finding("machine-path", path, number, "a path of one machine")
        if line != line.rstrip() and not path.endswith(".md"):
            yield Finding("whitespace", path, number, "trailing white space")
    if source and not source.endswith("\n"):
        yield Finding("whitespace", path, source.count("\n") + 1, "no newline at the end")


def check_tree(root):
    """Returns (errors, warnings)."""
    paths = list_files(root)
    files = set(paths)
    findings, warnings = [], []
    for entry in sorted({path.split("/")[0] for path in paths}):
        if not entry.startswith(".") and entry not in rules.TOP_LEVEL:
            findings.append(Finding("top-level", entry, 1, "is not part of the house plan"))
    for path in paths:
        with open(os.path.join(root, path), "rb") as file:
            content = file.read()
        scripted = content.startswith(b"#!")
        if not (path.endswith(TEXT) or scripted) or b"\0" in content:
            continue
        try:
            source = content.decode()
        except UnicodeDecodeError:
            continue  # a golden file or a fuzz input
        if path.endswith(CPP):
            findings += check_cpp(path, source, files)
        # Corpora and golden outputs are data, whatever their names end with.
        if not re.match(r"tests/.*(corpus|golden|data)/", path):
            findings += check_text(path, source)
        count = source.count("\n")
        if path.endswith(SIZED) and count > rules.LINES_WARN:
            if count > rules.LINES_FAIL:
                findings.append(Finding("size", path, count, f"more than {rules.LINES_FAIL} lines"))
            else:
                warnings.append(Finding("size", path, count, "look for the seam"))
    used = {(f.rule, f.path) for f in findings} & set(rules.EXCEPTIONS)
    findings = [f for f in findings if (f.rule, f.path) not in rules.EXCEPTIONS]
    for rule, path in rules.EXCEPTIONS:
        if path in files and (rule, path) not in used:
            findings.append(Finding("exception", path, 1, f"the exception from {rule} is not needed"))
    return findings, warnings


def main():
    default_root = os.path.normpath(os.path.join(os.path.dirname(__file__), "..", ".."))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", nargs="?", default=default_root)
    errors, warnings = check_tree(parser.parse_args().root)
    for finding in warnings:
        print(f"{finding.path}:{finding.line}: warning: {finding.text} [{finding.rule}]")
    for finding in errors:
        print(f"{finding.path}:{finding.line}: {finding.text} [{finding.rule}]")
    print(f"lint: {len(errors)} errors, {len(warnings)} warnings")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
