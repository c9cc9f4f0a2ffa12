#!/usr/bin/python3
"""Completion in real shells: what a person at the keyboard gets for a tab."""

import os
import shutil
import subprocess
import sys
import tempfile

from _cluster import BIN, DEADLINE_S, Cluster
from _terminal import Terminal


def environment_of(cluster, home):
    return {"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(home), "TERM": "dumb",
            "LANG": "C.UTF-8", "RM_MASTER": cluster.url(""), "PS1": "$ "}


def complete_in(shell, command, setup, cluster, home):
    """Types beginnings of words, presses tab, and waits for the rest."""
    with Terminal(command, environment_of(cluster, home)) as keyboard:
        keyboard.type(setup + "; echo re''ady\n")
        keyboard.wait_for("ready")
        for typed, completed in [("rmctl canc", "cancel "), ("rmctl schedule pau", "pause "),
                                 ("rmctl wait --time", "--timeout "),
                                 ("rmctl jobs -o wi", "wide "),
                                 ("rmctl cancel unmistak", "unmistakable "),
                                 ("rmctl schedule show nigh", "nightly "),
                                 ("rmctl node show node", "node-1 "),
                                 ("rmctl submit etl", "etl.toml ")]:
            keyboard.type(typed + "\t")
            keyboard.wait_for(completed[len(typed.rsplit(" ", 1)[1]):])
            keyboard.type("\x15")  # kills the line
    print(f"{shell}: complete")


def test_bash(cluster, home):
    complete_in("bash", ["bash", "--norc", "--noprofile", "-i"], "source <(rmctl completion bash)",
                cluster, home)


def test_zsh(cluster, home):
    complete_in("zsh", ["zsh", "-f", "-i"],
                "autoload -Uz compinit && compinit -u -D && source <(rmctl completion zsh)",
                cluster, home)


def test_fish(cluster, home):
    """Fish tells what it would offer."""
    for typed, wanted in [("rmctl canc", "cancel"), ("rmctl cancel unmis", "unmistakable"),
                          ("rmctl schedule show ni", "nightly"), ("rmctl jobs -o wi", "wide"),
                          ("rmctl submit etl", "etl.toml")]:
        out = subprocess.run(
            ["fish", "--no-config", "-c",
             f"rmctl completion fish | source; complete -C '{typed}'"],
            env=environment_of(cluster, home), cwd=home, capture_output=True, text=True,
            timeout=DEADLINE_S, check=True).stdout
        assert wanted in [line.split("\t")[0] for line in out.splitlines()], (typed, out)
    print("fish: complete")


def test_nobody_answers(home):
    """A shell's line is not disturbed where there is no master."""
    environment = {**os.environ, "RM_MASTER": "http://127.0.0.1:1"}
    done = subprocess.run([BIN / "rmctl", "__complete", "--", "cancel", ""], env=environment,
                          cwd=home, capture_output=True, text=True, timeout=DEADLINE_S, check=True)
    assert done.stderr == "" and "last\t" in done.stdout, done


def main():
    missing = [shell for shell in ("bash", "zsh", "fish") if not shutil.which(shell)]
    if missing:
        print(f"skipped in part: no {', '.join(missing)}")
        if os.environ.get("CI"):
            return 1
    with Cluster(agents=1) as cluster, tempfile.TemporaryDirectory(prefix="rm-home-") as home:
        with open(os.path.join(home, "etl.toml"), "w", encoding="utf-8"):
            pass
        os.chdir(home)
        cluster.submit({"name": "unmistakable", "command": "true", "hold": True})
        status, answer = cluster.request("POST", "/v1/schedules", {
            "name": "nightly", "schedule": "R/2100-01-01T00:00:00Z/P1D",
            "job": {"command": "true"}})
        assert status == 201, answer
        for shell, test in (("bash", test_bash), ("zsh", test_zsh), ("fish", test_fish)):
            if shell not in missing:
                test(cluster, home)
        test_nobody_answers(home)
        os.chdir("/")
    return 0


if __name__ == "__main__":
    sys.exit(main())
