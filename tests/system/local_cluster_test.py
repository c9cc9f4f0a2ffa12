#!/usr/bin/python3
"""A cluster in this very process: what it does, and that it never leaves anything behind."""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PACKAGE = pathlib.Path(os.environ.get("RM_PYTHON_DIR", ROOT / "build" / "python")).resolve()
sys.path[:0] = [str(HERE), str(PACKAGE)]
from _cluster import wait_until  # noqa: E402

import librm  # noqa: E402

# Starts a cluster with a task that never ends, says what runs, and leaves by the statement given.
OWNER = """
import json, os, pathlib, signal, sys
import librm
cluster = librm.LocalCluster(nodes=2, cpus=1)
jobs = cluster.connect().map("echo $$; exec sleep {}", [1000, 1001])
directory = pathlib.Path(cluster.directory)
while any(job.state != "running" or not job.info["started"] for job in jobs):
    pass
pids = [int(path.read_text()) for path in directory.glob("node-*/shepherd.pid")]
while not all(logs := [job.logs() for job in jobs]):
    pass
print(json.dumps({"directory": str(directory), "pids": pids + [int(log) for log in logs]}))
sys.stdout.flush()
"""


def expect_error(code, text, call):
    try:
        call()
    except librm.LibrmError as error:
        assert error.code == code and text in str(error), (error.code, str(error))
        return
    raise AssertionError(f"no {code}")


def threads():
    return set(os.listdir("/proc/self/task"))


def alive(pid):
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat[stat.rindex(")") + 2] not in "ZX"


def run_owner(last_words):
    """Returns what an owner said before it left, and its exit status."""
    done = subprocess.run([sys.executable, "-c", OWNER + last_words], stdout=subprocess.PIPE,
                          env={**os.environ, "PYTHONPATH": str(PACKAGE)}, timeout=120)
    said = json.loads(done.stdout)
    assert len(said["pids"]) == 4, said
    return said, done.returncode


def test_jobs_run_and_nothing_stays():
    before = threads()
    with librm.LocalCluster(nodes=2, cpus=1) as cluster:
        assert threads() > before
        directory = pathlib.Path(cluster.directory)
        client = cluster.connect()
        assert [node["hostname"] for node in client.nodes()] == ["node-1", "node-2"]
        assert [node["id"] for node in client.nodes()] == ["a-1", "a-2"]
        jobs = client.map("echo $(({} * {}))", range(4), name="square-{}")
        last = client.submit(["echo", "all done"], after_ok=jobs)
        client.wait([*jobs, last], timeout=60)
        assert [job.logs() for job in jobs] == ["0\n", "1\n", "4\n", "9\n"]
        assert last.logs() == "all done\n"
        client.submit("sleep 1000")  # is killed by the end
    assert threads() == before
    assert not directory.exists()
    assert not cluster.running
    cluster.close()
    expect_error("failed_precondition", "is closed", cluster.connect)
    expect_error("unavailable", cluster.url, client.state)


def test_several_live_side_by_side():
    with librm.LocalCluster() as one, librm.LocalCluster() as other:
        first = one.connect().submit("echo one", name="same")
        second = other.connect().submit("echo other", name="same")
        assert first.wait(60).logs() == "one\n" and second.wait(60).logs() == "other\n"
        one.close()
        assert other.connect().submit("echo still there").wait(60).state == "finished"


def test_the_gil_is_free_while_a_cluster_starts():
    """Python sees a cluster that is half there, while another thread waits for all of it."""
    seen, made = [], []
    names = re.compile(r"librm-local-\w+$")
    temporary = pathlib.Path(tempfile.gettempdir())
    before = set(temporary.iterdir())
    starter = threading.Thread(target=lambda: made.append(librm.LocalCluster(nodes=16)))
    starter.start()
    while starter.is_alive():
        new = [path for path in set(temporary.iterdir()) - before if names.search(path.name)]
        seen += [path for path in new if not (path / "node-16").exists()]
    starter.join()
    assert pathlib.Path(made[0].directory) in seen
    made[0].close()


def test_its_thread_takes_no_signals():
    before = threads()
    with librm.LocalCluster():
        for thread in threads() - before:
            status = pathlib.Path(f"/proc/self/task/{thread}/status").read_text()
            blocked = int(re.search(r"SigBlk:\t(\w+)", status).group(1), 16)
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGALRM):
                assert blocked >> (number - 1) & 1, (number, hex(blocked))


def test_what_is_wrong_is_said():
    expect_error("invalid_argument", "nodes: need 1 to 64", lambda: librm.LocalCluster(nodes=0))
    expect_error("invalid_argument", "nodes: need 1 to 64", lambda: librm.LocalCluster(nodes=65))
    expect_error("invalid_argument", "cpus:", lambda: librm.LocalCluster(cpus="many"))
    expect_error("invalid_argument", "mem:", lambda: librm.LocalCluster(mem="1 heap"))
    expect_error("invalid_argument", "pack:two", lambda: librm.LocalCluster(topology="pack:two"))
    expect_error("invalid_argument", "log_level", lambda: librm.LocalCluster(log_level="loud"))
    with tempfile.TemporaryDirectory() as empty:
        os.environ["RM_BIN_DIR"], programs = empty, os.environ.get("RM_BIN_DIR")
        try:
            expect_error("not_found", f"{empty}/rm-shepherd", librm.LocalCluster)
        finally:
            del os.environ["RM_BIN_DIR"]
            if programs:
                os.environ["RM_BIN_DIR"] = programs


def test_interpreter_exit_ends_it():
    for last_words, status in (("", 0), ("sys.exit(3)", 3), ("raise RuntimeError('on purpose')", 1)):
        said, code = run_owner(last_words)
        assert code == status, code
        assert not any(alive(pid) for pid in said["pids"]), said
        assert not pathlib.Path(said["directory"]).exists()


def test_a_crash_of_its_owner_ends_it():
    said, code = run_owner("os.kill(os.getpid(), signal.SIGKILL)")
    assert code == -signal.SIGKILL
    wait_until(lambda: not any(alive(pid) for pid in said["pids"]), "tasks and shepherds are gone")
    with librm.LocalCluster():
        assert not pathlib.Path(said["directory"]).exists(), "the next one clears up"


def test_a_forked_child_leaves_it_alone():
    said, code = run_owner("""
child = os.fork()
if child == 0:
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
assert cluster.connect().submit("true").state in ("pending", "running", "finished")
assert all(job.state == "running" for job in jobs)
""")
    assert code == 0
    assert not any(alive(pid) for pid in said["pids"]), said


def test_schedules_are_expanded():
    def days(*arguments, **options):
        return [f"{moment:%Y-%m-%d %H:%M %z}"
                for moment in librm.schedule.occurrences(*arguments, **options)]

    assert days("R3/2026-01-31T02:00:00Z/P1M") == [
        "2026-01-31 02:00 +0000", "2026-02-28 02:00 +0000", "2026-03-31 02:00 +0000"]
    # On the last Sunday of March 02:00 does not exist there: the later instant counts.
    assert days("R/2024-01-31T02:00/P1M", tz="Europe/Prague", n=3) == [
        "2024-01-31 02:00 +0100", "2024-02-29 02:00 +0100", "2024-03-31 03:00 +0200"]
    start = librm.schedule.occurrences("R/2026-01-01T00:00:00Z/PT12H", n=4)[3]
    assert days("R/2026-01-01T00:00:00Z/PT12H", n=1, since=start) == ["2026-01-02 12:00 +0000"]
    assert days("R1/2026-01-01T00:00:00Z/PT1H", n=0) == []
    occurrences = librm.schedule.occurrences
    expect_error("invalid_argument", "at 12:", lambda: occurrences("R5/2026-01-x/P1M"))
    expect_error("invalid_argument", "Nowhere",
                 lambda: occurrences("R/2026-01-01T00:00/P1D", tz="Nowhere/Land"))
    expect_error("invalid_argument", "n: need", lambda: occurrences("R//P1D", n=-1))
    expect_error("invalid_argument", "since:",
                 lambda: occurrences("R//P1D", since=start.replace(tzinfo=None)))


def test_the_readme_is_true():
    text = (ROOT / "python" / "README.md").read_text()
    example = re.findall(r"```python\n(.*?)```", text, re.DOTALL)[1]
    assert "LocalCluster" in example
    exec(compile(example, "README.md", "exec"), {})


def main():
    if not list((PACKAGE / "librm").glob("_native.*.so")):
        print(f"skipped: no native module in {PACKAGE} (pybind11-dev, python3-dev)")
        sys.exit(1 if os.environ.get("CI") == "true" else 77)
    tests = [value for name, value in globals().items() if name.startswith("test_")]
    for test in tests:
        test()
        print(f"ok {test.__name__}", flush=True)
    print(f"{len(tests)} passed, 0 failed")


if __name__ == "__main__":
    main()
