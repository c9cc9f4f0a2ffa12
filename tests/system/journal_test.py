#!/usr/bin/python3
"""Damages the journals of real daemons: rmctl says what is lost, and no master starts on them."""

import json
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from _cluster import BIN, Cluster, wait_until  # noqa: E402


def check(path):
    """(exit code, report or None, what was said on stderr)"""
    done = subprocess.run([BIN / "rmctl", "journal", "check", path, "-o", "json"],
                          capture_output=True, text=True, timeout=60)
    return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr


def copy_of(directory, source):
    """A crashed master's directory, without whatever another try left in it."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    for name in ("master.db", "master.db-wal"):
        if (source / name).exists():
            shutil.copy(source / name, directory / name)
    return directory / "master.db"


def start(directory):
    """Whether a master starts there, and its last words."""
    process = subprocess.Popen([BIN / "rm-master", "--work-dir", directory, "--port", "0",
                                "--cluster-port", "0"], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    ready = process.stdout.readline()
    process.terminate()
    return bool(ready), process.communicate(timeout=30)[1]


def test_sound_journals(cluster):
    ids = cluster.submit(*[{"name": f"n-{n}", "command": "true"} for n in range(5)])
    cluster.wait_terminal(ids)
    code, report, _ = check(cluster.directory / "master" / "master.db")
    assert code == 0 and report["ok"] and report["in_use"], report
    assert report["holds"]["jobs"] == 5 and report["holds"]["agents"] == 1, report
    code, report, _ = check(cluster.directory / "agent-1" / "agent.db")
    assert code == 0 and report["owner"] == "agent" and report["holds"]["epoch"] == 1, report
    cluster.master.kill()
    code, report, _ = check(cluster.directory / "master" / "master.db")
    assert code == 0 and not report["in_use"] and report["holds"]["jobs"] == 5, report
    assert report["wal_bytes"] > 0 and {s["stream"] for s in report["streams"]} == {"master", "batch"}
    text = subprocess.run([BIN / "rmctl", "journal", "check", cluster.directory / "master/master.db"],
                          capture_output=True, text=True, check=True).stdout
    assert "sound" in text and "5 jobs (5 finished), 1 node, 0 schedules" in text, text


def test_damaged_journals(cluster):
    """Either it is said and refused, or nothing is missing but what the last commit wrote."""
    source = cluster.directory / "master"
    records = check(source / "master.db")[1]["last_lsn"]
    log = (source / "master.db-wal").read_bytes()
    refused = 0
    for at in range(0, len(log), max(1, len(log) // 60)):
        path = copy_of(cluster.directory / "damaged", source)
        damaged = bytearray(log)
        damaged[at] ^= 1
        pathlib.Path(f"{path}-wal").write_bytes(damaged)
        code, report, errors = check(path)
        if code == 0:
            assert report["last_lsn"] > records - 6, (at, report)
            continue
        refused += 1
        assert code == 1 and (errors or report["damage"]), (at, report, errors)
        if refused % 8 == 1:
            started, words = start(path.parent)
            assert not started and f"rmctl journal check {path}" in words, (at, words)
            assert pathlib.Path(f"{path}-wal").read_bytes() == damaged, "the evidence is kept"
    assert refused > 20, refused
    print(f"{refused} damages were found, and no master started on them")


def test_what_is_no_journal(cluster):
    path = cluster.directory / "strange.db"
    for content, words in ((b"", "is empty"), (b"nothing of the kind" * 9, "no database")):
        path.write_bytes(content)
        code, report, errors = check(path)
        assert code == 1 and report is None and words in errors, (code, report, errors)
    code, _, errors = check(cluster.directory / "missing.db")
    assert code == 3 and "No such file" in errors, (code, errors)


def main():
    with Cluster(agents=1) as cluster:
        test_sound_journals(cluster)
        test_damaged_journals(cluster)
        test_what_is_no_journal(cluster)
        cluster.master.start()
        wait_until(lambda: len(cluster.connected()) == 1, "the sound one is taken up again")


if __name__ == "__main__":
    main()
