"""Runs a test where it may change mounts or network without anybody's noticing."""

import os
import subprocess
import sys

INSIDE = "RM_TEST_NAMESPACES"


def enter_namespaces(*kinds):
    """Runs this script anew in namespaces of these kinds ("mount", "net"); what is mounted there is
    gone with its last process."""
    if os.environ.get(INSIDE):
        return
    command = ["unshare", *(f"--{kind}" for kind in kinds)]
    if os.geteuid() != 0:
        command += ["--user", "--map-root-user"]
    if subprocess.run([*command, "true"], capture_output=True).returncode != 0:
        print(f"skipped: needs namespaces: {' '.join(kinds)}")
        sys.exit(1 if os.environ.get("CI") else 77)
    os.environ[INSIDE] = "1"
    os.execvp(command[0], [*command, sys.executable, *sys.argv])


def mount(*arguments):
    subprocess.run(["mount", *map(str, arguments)], check=True)
