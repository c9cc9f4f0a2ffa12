#!/usr/bin/python3
"""Backs a busy master up, lets it go on, and restores it elsewhere: nothing starts a second time.

Every task notes its id when it starts, so what started twice is seen whatever any state says.
"""

import collections
import json
import pathlib
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from _cluster import BIN, Cluster, wait_until  # noqa: E402


def rmctl(*words, code=0):
    done = subprocess.run([BIN / "rmctl", *map(str, words)], capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == code, (words, done)
    return done.stdout if code == 0 else done.stderr


class Test:
    def __init__(self, cluster):
        self.cluster = cluster
        self.log = cluster.directory / "starts.log"
        self.saved = cluster.directory / "saved.db"

    def job(self, name, work, **more):
        return {"name": name, "cpus": 1, "mem": 16,
                "command": f'echo "$RM_TASK_ID $RM_JOB_NAME" >> {self.log}; {work}', **more}

    def until(self, gate):
        return f"until [ -e {self.cluster.directory / gate} ]; do sleep 0.05; done"

    def open(self, gate):
        (self.cluster.directory / gate).touch()

    def starts(self):
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [line.split()[0] for line in lines]

    def wait_started(self, count):
        wait_until(lambda: len(self.starts()) >= count, f"{count} tasks started")

    def before(self):
        """Ended, running across it all, ended after the backup, waiting, and twice if need be."""
        cluster = self.cluster
        [self.ended] = cluster.submit(self.job("ended", "true"))
        cluster.wait_terminal([self.ended])
        self.lasting, self.short, self.again = cluster.submit(
            self.job("lasting", self.until("last")), self.job("short", self.until("short")),
            self.job("again", self.until("short"), lost="rerun"))
        self.wait_started(4)
        self.waiting, = cluster.submit(self.job("waiting", "true", after_any=["short"]))
        self.array, = cluster.submit(self.job("array", "true", array="1-3", after_any=["short"]))
        status, _ = cluster.request("POST", "/v1/schedules", {
            "name": "hourly", "schedule": "R/2100-01-01T00:00:00Z/PT1H", "job": {"command": "true"}})
        assert status == 201
        self.known = [self.ended, self.lasting, self.short, self.again, self.waiting, self.array]

    def back_up_while_jobs_come(self):
        """What was acknowledged before is in it; what comes meanwhile may be."""
        stop = threading.Event()
        count = 0

        def submit():
            nonlocal count
            while not stop.is_set():
                self.cluster.submit(self.job(f"meanwhile-{count}", "true"))
                count += 1
        thread = threading.Thread(target=submit)
        thread.start()
        wait_until(lambda: count >= 3, "jobs come")
        text = self.cluster.rmctl("backup", self.saved)
        enough = count + 3
        wait_until(lambda: count >= enough, "jobs come after it")
        stop.set()
        thread.join()
        assert "jobs (" in text and "as of LSN" in text, text
        assert self.saved.stat().st_mode & 0o777 == 0o600
        report = json.loads(rmctl("journal", "check", self.saved, "-o", "json"))
        assert report["ok"] and report["holds"]["schedules"] == 1, report
        assert 0 < report["holds"]["jobs"] - len(self.known) < count, (report["holds"], count)
        assert not list((self.cluster.directory / "master").glob("*.backup"))

    def after(self):
        """What the backup does not know of: starts of its jobs, their ends, and other jobs."""
        cluster = self.cluster
        for _ in range(3):  # agents obey higher epochs than the backup's
            cluster.master.kill()
            cluster.master.start()
        wait_until(lambda: len(cluster.connected()) == 2, "the agents are back")
        self.open("short")
        cluster.wait_terminal([self.short, self.again, self.waiting, self.array])
        [stray] = cluster.submit(self.job("stray", "sleep 1000"))
        wait_until(lambda: cluster.job(stray)["attempts"], "it runs")
        self.wait_started(len(set(self.starts())))
        wait_until(lambda: "stray" in self.log.read_text(), "the stray has started")
        self.started_before = set(self.starts())

    def restore_elsewhere(self):
        cluster = self.cluster
        old = cluster.directory / "master"
        refusal = rmctl("restore", self.saved, "--work-dir", old, code=1)
        assert "a master runs there" in refusal, refusal
        cluster.master.kill()
        refusal = rmctl("restore", self.saved, "--work-dir", old, code=1)
        assert "--force" in refusal, refusal
        elsewhere = cluster.directory / "elsewhere"
        done = json.loads(rmctl("restore", self.saved, "--work-dir", elsewhere, "-o", "json"))
        assert done["epoch"] > 1_000_000 and done["paused"] == 1, done
        assert done["held"] >= 2, done
        # The agents look for their master where they always did.
        old.rename(cluster.directory / "old")
        old.symlink_to(elsewhere)
        cluster.master.start()
        wait_until(lambda: len(cluster.connected()) == 2, "the agents obey the restored master")
        self.restored = done

    def check_jobs(self):
        cluster = self.cluster
        states = {i: cluster.job(i)["state"] for i in self.known}
        assert states[self.ended] == "finished" and states[self.lasting] == "running", states
        assert states[self.waiting] == "held" and states[self.array] == "held", states
        [short] = cluster.wait_terminal([self.short])
        assert short["state"] == "failed" and "restored from a backup" in short["reason"], short
        [again] = cluster.wait_terminal([self.again])
        assert again["state"] == "finished" and len(again["attempts"]) == 2, again
        assert cluster.get("/v1/schedules/hourly")["paused"]
        # The stray one is killed: nobody would know of its end.
        wait_until(lambda: cluster.get("/v1/state")["tasks"]["live"] == 1, "strays are killed")
        self.open("last")
        [lasting] = cluster.wait_terminal([self.lasting])
        assert lasting["state"] == "finished" and len(lasting["attempts"]) == 1, lasting

    def check_that_it_goes_on(self):
        cluster = self.cluster
        [new] = cluster.submit(self.job("new", "true"))
        assert new == self.restored["next_job"], (new, self.restored)
        rmctl("release", "name=array", "--master", cluster.url(""))
        cluster.request("POST", f"/v1/jobs/{self.short}/retry")
        jobs = cluster.wait_terminal([new, self.short, self.array])
        assert [job["state"] for job in jobs] == ["finished"] * 3, jobs
        twice = [task for task, n in collections.Counter(self.starts()).items() if n > 1]
        assert not twice, f"started twice: {twice}"
        later = set(self.starts()) - self.started_before
        assert len(later) >= 6, later
        cluster.master.kill()
        cluster.master.start()
        wait_until(lambda: len(cluster.connected()) == 2, "and after another start")
        assert cluster.job(new)["state"] == "finished"
        print(f"{len(self.starts())} starts, none twice; {len(later)} of them after the restore")


def test_a_restore_over_another_state(cluster, saved):
    """With --force; what was there is kept, and its epoch counts."""
    elsewhere = cluster.directory / "elsewhere"
    cluster.master.kill()
    before = json.loads(rmctl("journal", "check", elsewhere / "master.db", "-o", "json"))
    done = json.loads(rmctl("restore", saved, "--work-dir", elsewhere, "--force", "--pending", "run",
                            "-o", "json"))
    assert done["epoch"] > before["holds"]["epoch"] and done["held"] == 0, (done, before)
    aside = json.loads(rmctl("journal", "check", done["set_aside"], "-o", "json"))
    assert aside["holds"] == before["holds"], aside
    text = rmctl("restore", cluster.directory / "starts.log", "--work-dir", elsewhere, "--force",
                 code=1)
    assert "no database" in text, text
    cluster.master.start()
    wait_until(lambda: len(cluster.connected()) == 2, "the agents obey the newer one")


def main():
    with Cluster(agents=2) as cluster:
        test = Test(cluster)
        test.before()
        test.back_up_while_jobs_come()
        test.after()
        test.restore_elsewhere()
        test.check_jobs()
        test.check_that_it_goes_on()
        test_a_restore_over_another_state(cluster, test.saved)


if __name__ == "__main__":
    main()
