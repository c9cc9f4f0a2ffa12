#!/usr/bin/python3
"""Runs transcripts of commands against a cluster: run.py FILE.transcript...

A transcript is a list of commands, each followed by what it prints (stdout, then stderr):

    $ rmctl run -- sh -c 'echo out; exit 3'
    out
    [exit 3]

A line `[exit N]` follows where the code is not 0. `[..]` in an expected line stands for any text,
`[...]` alone on a line for any lines. `# ` begins a comment. Each file has a cluster of its own of
two nodes; a file whose first line is `# no cluster` has none. The commands of a file share one
shell, so that variables live on; the working directory is an empty one.

With RM_REWRITE=1 the expected output is replaced by the actual one, but for lines that match.
"""

import difflib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

BIN = pathlib.Path(os.environ.get("RM_BIN_DIR") or
                   pathlib.Path(__file__).resolve().parents[2] / "build/bin")
TIMEOUT_S = 100
END = "--end-of-command--"


class Step:
    def __init__(self, command):
        self.command = command  # lines, as they stand in the file
        self.expected = []

    def script(self):
        first, *rest = self.command
        return "\n".join([first[2:]] + [line[2:] for line in rest])


def read_transcript(text):
    """A list of steps and, as plain strings, the lines between them."""
    items = []
    for line in text.split("\n")[:-1]:
        step = items[-1] if items and isinstance(items[-1], Step) else None
        if line.startswith("$ "):
            items += give_back_blanks(step) + [Step([line])]
        elif step and line.startswith("> ") and not step.expected:
            step.command.append(line)
        elif line.startswith("# ") or step is None:
            items += give_back_blanks(step) + [line]
        else:
            step.expected.append(line)
    return items


def give_back_blanks(step):
    """Blank lines inside of an output belong to it, those after it only set it apart."""
    blanks = []
    while step and step.expected and step.expected[-1] == "":
        blanks.append(step.expected.pop())
    return blanks


def matches(pattern, line):
    parts = [re.escape(part) for part in pattern.split("[..]")]
    return re.fullmatch(".*".join(parts), line) is not None


def matches_all(expected, actual):
    if not expected:
        return not actual
    if expected[0] == "[...]":
        return any(matches_all(expected[1:], actual[n:]) for n in range(len(actual) + 1))
    return bool(actual) and matches(expected[0], actual[0]) and matches_all(expected[1:], actual[1:])


def keep_wildcards(expected, actual):
    """The actual lines, but as they were written where that still fits."""
    if len(expected) == len(actual):
        return [e if matches(e, a) else a for e, a in zip(expected, actual)]
    return [next((e for e in expected if "[..]" in e and matches(e, a)), a) for a in actual]


class Shell:
    """Runs commands one after the other and tells their outputs apart."""

    def __init__(self, cluster, directory):
        command = ["bash", "--norc", "--noprofile"]
        if cluster:
            command = [str(BIN / "rmctl"), "dev", "--port", "0", "--nodes", "2", "--cpus", "2",
                       "--mem", "1G", "--"] + command
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("RM_", "LC_"))}
        environment.update(PATH=f"{BIN}:{os.environ['PATH']}", LANG="C.UTF-8", COLUMNS="100",
                           RM_SOURCE=str(pathlib.Path(__file__).resolve().parents[2]))
        self.errors = pathlib.Path(directory) / "stderr"
        work = pathlib.Path(directory) / "work"
        work.mkdir()
        self.log = open(pathlib.Path(directory) / "dev.log", "w+", encoding="utf-8")
        self.process = subprocess.Popen(command, cwd=work, env=environment, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=self.log, text=True,
                                        errors="replace")

    def run(self, script):
        """Lines of stdout, then of stderr, then of the exit code."""
        self.process.stdin.write(
            f"{{ {script}\n}} 2>{self.errors} </dev/null; code=$?; echo; echo '{END}' $code\n")
        self.process.stdin.flush()
        lines = []
        for line in self.process.stdout:
            line = line.rstrip("\n")
            if line.startswith(END):
                break
            lines.append(line)
        else:
            self.log.seek(0)
            raise RuntimeError(f"the shell ended in: {script}\n{self.log.read()}")
        code = int(line.split()[-1])
        if lines and lines[-1] == "":
            lines.pop()  # the newline that `echo` added
        lines += self.errors.read_text(errors="replace").splitlines()
        if code != 0:
            lines.append(f"[exit {code}]")
        return [line.rstrip() for line in lines]

    def close(self):
        try:
            self.process.stdin.close()
            return self.process.wait(TIMEOUT_S)
        finally:
            if self.process.poll() is None:
                self.process.terminate()


def run_file(path, rewrite):
    """Returns whether all went as written."""
    text = path.read_text(encoding="utf-8")
    items = read_transcript(text)
    result, failures = [], 0
    with tempfile.TemporaryDirectory(prefix="rm-script-") as directory:
        shell = Shell(not text.startswith("# no cluster"), directory)
        for item in items:
            if isinstance(item, str):
                result.append(item)
                continue
            actual = shell.run(item.script())
            if matches_all(item.expected, actual):
                actual = item.expected
            else:
                failures += 1
                if not rewrite:
                    print("\n".join(item.command))
                    print("\n".join(difflib.unified_diff(item.expected, actual, "expected", "actual",
                                                         lineterm="")))
                actual = keep_wildcards(item.expected, actual)
            result += item.command + actual
        code = shell.close()
    if code != 0:
        print(f"the cluster ended with code {code}")
        failures += 1
    if rewrite:
        path.write_text("\n".join(result) + "\n", encoding="utf-8")
        return True
    print(f"{path.name}: {failures} differences")
    return failures == 0


def main():
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    if not shutil.which(str(BIN / "rmctl")):
        print(f"there is no {BIN}/rmctl", file=sys.stderr)
        return 1
    rewrite = os.environ.get("RM_REWRITE") == "1"
    passed = [run_file(pathlib.Path(name), rewrite) for name in sys.argv[1:]]
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
