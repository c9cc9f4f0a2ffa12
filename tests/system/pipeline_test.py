#!/usr/bin/python3
"""The quickstart's pipeline counts the same words as one pipe over the same files."""

import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(os.environ.get("RM_SOURCE_DIR") or pathlib.Path(__file__).parents[2])
SOURCE = "/usr/share/doc"
TOP = 20

# A newline after each file keeps its last word apart from the next file's first.
PIPE = r"""
find "$1" -name 'changelog*.gz' -type f -exec sh -c 'for f; do zcat "$f"; echo; done' sh {} + |
  tr -cs '[:alpha:]' '\n' | tr '[:upper:]' '[:lower:]' | grep . | sort | uniq -c |
  sort -k1,1nr -k2,2
"""


def count_by_pipe(source):
    """[(count, word)], the most frequent first."""
    output = subprocess.run(["sh", "-c", PIPE, "sh", source], check=True, text=True,
                            capture_output=True, env={**os.environ, "LC_ALL": "C"}).stdout
    return [tuple(line.split()) for line in output.splitlines()]


def count_by_pipeline(source, directory):
    result = pathlib.Path(directory) / "result"
    environment = {key: value for key, value in os.environ.items() if key != "RM_MASTER"}
    environment.update(RM_BIN_DIR=os.environ.get("RM_BIN_DIR", str(ROOT / "build/bin")),
                       RM_QUICKSTART_RESULT=str(result), WORDCOUNT_SOURCE=source,
                       TMPDIR=str(directory))
    # From another directory, since it must work from any.
    run = subprocess.run([ROOT / "batch/quickstart.sh"], env=environment, cwd=directory, text=True,
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         timeout=240)
    print(run.stdout)
    assert run.returncode == 0, f"quickstart.sh ended with {run.returncode}"
    left = [path.name for path in pathlib.Path(directory).glob("rmctl-*")]
    assert not left, f"left behind: {left}"
    return [tuple(line.split()) for line in result.read_text().splitlines()], run.stdout


def main():
    if not any(pathlib.Path(SOURCE).glob("*/changelog*.gz")):
        print(f"skipped: no changelogs under {SOURCE}")
        return 1 if os.environ.get("CI") else 77
    with tempfile.TemporaryDirectory(prefix="rm-pipeline-") as directory:
        counted, printed = count_by_pipeline(SOURCE, directory)
        expected = count_by_pipe(SOURCE)
    assert counted == expected[:TOP], f"\npipeline {counted}\npipe     {expected[:TOP]}"
    for count, word in counted:
        assert any(line.split()[:2] == [word, count] for line in printed.splitlines()), word
    print(f"{len(expected)} different words; the first {TOP} are the same")
    return 0


if __name__ == "__main__":
    sys.exit(main())
