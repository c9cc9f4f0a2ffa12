#!/usr/bin/python3
"""rmctl sandbox lists, prints, follows and copies files, also while the agent is killed."""

import hashlib
import os
import pathlib
import signal
import stat
import subprocess
import sys
import tempfile
import time

from _cluster import DEADLINE_S, Cluster, wait_until

MAKE = """mkdir -p data/inner; cd data; seq 5 > small; chmod 750 small; seq 100000 > big
echo tool > inner/run; chmod 500 inner/run; chmod 550 inner
ln -s small link; ln -s inner directory-link; ln -s /etc/passwd outside; mkfifo pipe"""


def fails(cluster, code, words, *arguments):
    done = subprocess.run(cluster.rmctl_command(*arguments), capture_output=True, text=True,
                          timeout=DEADLINE_S)
    assert done.returncode == code and words in done.stderr, (arguments, done)


def mode(path):
    return stat.S_IMODE(path.lstat().st_mode)


def check_ls_and_cat(cluster, job, directory):
    names = cluster.rmctl("sandbox", "ls", f"{job}:data", "-o", "name").split()
    assert names == ["big", "directory-link", "inner", "link", "outside", "pipe", "small"], names
    lines = cluster.rmctl("sandbox", "ls", f"{job}:data/small").splitlines()
    assert lines[1].startswith("-rwxr-x---    10  ") and lines[1].endswith("  small"), lines
    assert cluster.rmctl("sandbox", "cat", f"{job}:data/small", f"{job}:data/link") == "1\n2\n3\n4\n5\n" * 2
    fails(cluster, 3, "data/nosuch: no such file", "sandbox", "ls", f"{job}:data/nosuch")
    fails(cluster, 3, "data/nosuch: no such file", "sandbox", "cat", f"{job}:data/nosuch")
    fails(cluster, 4, "leads out of the sandbox", "sandbox", "cat", f"{job}:../../agent.db")
    fails(cluster, 4, "data/outside: ", "sandbox", "cat", f"{job}:data/outside")
    fails(cluster, 3, "no such job", "sandbox", "ls", "nosuch:data")


def check_tail(cluster, job, directory):
    assert cluster.rmctl("sandbox", "tail", "-n", "2", f"{job}:data/big") == "99999\n100000\n"
    assert len(cluster.rmctl("sandbox", "tail", f"{job}:data/big").splitlines()) == 10
    lines = cluster.rmctl("sandbox", "tail", "-n", "99000", f"{job}:data/big").splitlines()
    assert lines == [str(n) for n in range(1001, 100001)], "further back than one piece"
    assert cluster.rmctl("sandbox", "tail", "-n", "99", f"{job}:data/small") == "1\n2\n3\n4\n5\n"
    assert cluster.rmctl("sandbox", "tail", "-n", "0", f"{job}:data/small") == ""


def check_cp(cluster, job, directory):
    cluster.rmctl("sandbox", "cp", f"{job}:data/small", directory)
    assert (directory / "small").read_text() == "1\n2\n3\n4\n5\n"
    assert mode(directory / "small") == 0o750
    cluster.rmctl("sandbox", "cp", f"{job}:data/big", directory / "other")
    assert (directory / "other").read_text().split() == [str(n) for n in range(1, 100001)]
    fails(cluster, 2, "-r copies it", "sandbox", "cp", f"{job}:data", directory)
    fails(cluster, 2, "no such directory", "sandbox", "cp", f"{job}:data/small", f"{directory}/no/")
    assert sorted(p.name for p in directory.iterdir()) == ["other", "small"]


def check_cp_of_directories(cluster, job, directory):
    fails(cluster, 1, "not copied", "sandbox", "cp", "-r", f"{job}:data", directory)
    copy = directory / "data"
    assert sorted(p.name for p in copy.iterdir()) == ["big", "inner", "link", "small"]
    assert not (copy / "link").is_symlink() and (copy / "link").read_text() == "1\n2\n3\n4\n5\n"
    assert (mode(copy / "inner"), mode(copy / "inner/run")) == (0o550, 0o500)
    cluster.rmctl("sandbox", "cp", "-r", f"{job}:data/inner", directory / "renamed")
    assert (directory / "renamed/run").read_text() == "tool\n"
    fails(cluster, 1, "not copied", "sandbox", "cp", "-r", f"{job}:", directory / "all")
    assert sorted(p.name for p in (directory / "all").iterdir()) == ["data", "stderr", "stdout"]


def check_cp_stays_in_its_target(cluster, job, directory):
    outside = directory / "outside"
    target = directory / "target"
    for made in (outside, target, target / "data"):
        made.mkdir()
    (target / "data/inner").symlink_to(outside)
    (target / "data/small").symlink_to(outside / "small")
    fails(cluster, 1, "inner: there is something that is no directory",
          "sandbox", "cp", "-r", f"{job}:data", target)
    assert not list(outside.iterdir()), "written through a link"
    assert (target / "data/small").is_file() and not (target / "data/small").is_symlink()


def restart_agent(cluster):
    """With another port."""
    agent = cluster.agents[0]
    before = agent.field("http")
    agent.kill()
    agent.start()
    assert agent.field("http") != before


def check_cp_survives_the_agent(cluster, directory):
    job, = cluster.submit({"command": "seq 10000000 > large"})
    cluster.wait_terminal([job])
    source, = cluster.directory.glob(f"agent-1/runs/*/{job}.1.1/large")
    copying = subprocess.Popen(cluster.rmctl_command("sandbox", "cp", f"{job}:large", directory),
                               stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + DEADLINE_S
    while not any(p.stat().st_size for p in directory.glob(".rmctl-*")):
        assert time.monotonic() < end and copying.poll() is None, "it begins to copy"
    copying.send_signal(signal.SIGSTOP)
    part, = directory.glob(".rmctl-*")
    assert part.stat().st_size < source.stat().st_size / 2, "too fast for this test"
    assert not (directory / "large").exists(), "not before it is complete"
    restart_agent(cluster)
    copying.send_signal(signal.SIGCONT)
    assert copying.wait(DEADLINE_S) == 0, copying.stderr.read()
    sums = {hashlib.sha256(p.read_bytes()).digest() for p in (source, directory / "large")}
    assert len(sums) == 1 and not list(directory.glob(".rmctl-*"))


def check_tail_follows_across_the_agent(cluster, directory):
    stop = directory / "stop"
    job, = cluster.submit({"command": f"n=0; until [ -e {stop} ]; do n=$((n+1)); echo $n >> file; "
                                      "sleep 0.01; done; echo end >> file"})
    wait_until(lambda: list(cluster.directory.glob(f"agent-1/runs/*/{job}.1.1/file")), "it writes")
    output = directory / "tail"
    with open(output, "wb") as file:
        following = subprocess.Popen(
            cluster.rmctl_command("sandbox", "tail", "-n", "1000000", "-f", f"{job}:file"),
            stdout=file)
    for _ in range(2):
        size = output.stat().st_size
        wait_until(lambda: output.stat().st_size > size + 50, "it follows")
        restart_agent(cluster)
    size = output.stat().st_size
    wait_until(lambda: output.stat().st_size > size + 50, "it goes on")
    stop.touch()
    assert following.wait(DEADLINE_S) == 0
    source, = cluster.directory.glob(f"agent-1/runs/*/{job}.1.1/file")
    assert output.read_text() == source.read_text()
    assert output.read_text().endswith("\nend\n")


def main():
    os.umask(0o077)
    checks = (check_ls_and_cat, check_tail, check_cp, check_cp_of_directories,
              check_cp_stays_in_its_target)
    with Cluster(agents=1) as cluster:
        job, = cluster.submit({"command": MAKE})
        cluster.wait_terminal([job])
        for check in checks:
            with tempfile.TemporaryDirectory(prefix="rm-test-") as directory:
                check(cluster, job, pathlib.Path(directory))
            print(f"ok {check.__name__}")
        for check in (check_cp_survives_the_agent, check_tail_follows_across_the_agent):
            with tempfile.TemporaryDirectory(prefix="rm-test-") as directory:
                check(cluster, pathlib.Path(directory))
            print(f"ok {check.__name__}")
        for closed in cluster.directory.glob("agent-1/runs/*/*/data/inner"):
            closed.chmod(0o700)  # else only root could delete it
    print("7 passed, 0 failed")


if __name__ == "__main__":
    sys.exit(main())
