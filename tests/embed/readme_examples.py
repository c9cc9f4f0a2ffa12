#!/usr/bin/python3
"""Runs examples and compares what they print with the README: readme_examples.py BIN_DIR SOURCE...

With RM_REWRITE=1 in the environment the blocks that are there are rewritten instead.
"""

import os
import pathlib
import subprocess
import sys

# Examples that do not end by themselves.
ELSEWHERE = {"example-counting-executor": "an agent starts it; tests/system runs it there"}


def find_block(lines, command):
    """Where the lines after `$ COMMAND` in a fenced block begin and end, or None."""
    for number, line in enumerate(lines):
        if line == "$ " + command:
            end = next(at for at in range(number + 1, len(lines))
                       if lines[at].startswith(("```", "$ ")))
            return number + 1, end
    return None


def check(lines, source, bin_dir):
    """What is wrong with one example; empty where all is well."""
    name = "example-" + source.stem.replace("_", "-") + ("-c" if source.suffix == ".c" else "")
    if name in ELSEWHERE:
        return ""
    block = find_block(lines, "build/bin/" + name)
    if block is None:
        return f"{name}: the README does not show `$ build/bin/{name}`"
    ran = subprocess.run([bin_dir / name], capture_output=True, text=True, timeout=60)
    if ran.returncode != 0:
        return f"{name}: exit code {ran.returncode}\n{ran.stdout}{ran.stderr}"
    if os.environ.get("RM_REWRITE"):
        lines[slice(*block)] = ran.stdout.splitlines()
    elif ran.stdout.splitlines() != lines[slice(*block)]:
        return f"{name}: the README shows another output; it is now\n{ran.stdout}"
    return ""


def main():
    bin_dir, sources = pathlib.Path(sys.argv[1]), [pathlib.Path(arg) for arg in sys.argv[2:]]
    readme = sources[0].parent.parent / "README.md"
    lines = readme.read_text().splitlines()
    wrong = [text for source in sources if (text := check(lines, source, bin_dir))]
    if os.environ.get("RM_REWRITE"):
        readme.write_text("\n".join(lines) + "\n")
    print("\n".join(wrong) or f"{len(sources)} as the README shows it")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
