#!/usr/bin/python3
"""What does it cost to lose nothing, and is nothing lost?

Three figures of a real master on this machine's disk:

    replay  seconds from start to readiness on a journal of many jobs
    submit  durable submissions a second, one job a request, over 1, 4 and 64 connections; against
            the disk's own fdatasync rate, taken in the same run
    kills   acknowledged submissions that are missing after each of many kills (SIGKILL at random
            moments while clients submit). Must be 0, and is asserted

Asserts that the intended work happened, and nothing about speed.

    benchmarks/durability.py [--jobs 100000] [--seconds 5] [--kills 100] [--minutes 10] [--seed 1]
"""

import argparse
import http.client
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
os.environ.setdefault("RM_BIN_DIR", str(ROOT / "build" / "bin"))
sys.path.insert(0, str(ROOT / "tests" / "system"))
from _cluster import BIN, Cluster  # noqa: E402

BATCH = 5000  # jobs in one request


class Client:
    """One connection that is kept; a lost one is opened again by the next request."""

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.connection = http.client.HTTPConnection(host, int(port), timeout=30)

    def post(self, body, content_type="application/json"):
        self.connection.request("POST", "/v1/jobs", body, {"Content-Type": content_type})
        answer = self.connection.getresponse()
        data = json.loads(answer.read())
        assert answer.status == 201, (answer.status, data)
        return [job["id"] for job in data["jobs"]]

    def close(self):
        self.connection.close()


def measure_replay(jobs):
    with Cluster(agents=0) as cluster:
        client = Client(cluster.master.field("http"))
        line = json.dumps({"command": "true", "hold": True}) + "\n"
        done = 0
        while done < jobs:
            count = min(BATCH, jobs - done)
            done += len(client.post(line * count, "application/x-ndjson"))
        client.close()
        cluster.master.kill()
        journal = cluster.directory / "master" / "master.db"
        report = json.loads(subprocess.run([BIN / "rmctl", "journal", "check", journal, "-o", "json"],
                                           check=True, capture_output=True).stdout)
        assert report["holds"]["jobs"] == jobs, report
        begin = time.monotonic()
        cluster.master.start()
        seconds = time.monotonic() - begin
        held = cluster.get("/v1/state")["jobs"]["held"]
        assert held == jobs, held
        size = report["bytes"] + report["wal_bytes"]
        return {"jobs": jobs, "seconds": round(seconds, 3), "journal_mib": round(size / 2**20, 1),
                "jobs_per_second": round(jobs / seconds)}


def fdatasync_rate(seconds):
    """Of appended blocks, in the directory where the master's journal is."""
    with tempfile.NamedTemporaryFile(prefix="rm-test-") as file:
        count = 0
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            os.write(file.fileno(), b"x" * 4096)
            os.fdatasync(file.fileno())
            count += 1
        return count / seconds


def submit_for(seconds, address, connections):
    """Jobs that were acknowledged; each thread waits for its answer before it asks again."""
    counts = [0] * connections
    end = time.monotonic() + seconds

    def work(n):
        client = Client(address)
        while time.monotonic() < end:
            counts[n] += len(client.post('{"command": "true", "hold": true}'))
        client.close()
    threads = [threading.Thread(target=work, args=(n,)) for n in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts)


def measure_submissions(seconds):
    rows = []
    with Cluster(agents=0) as cluster:
        total = 0
        for connections in (1, 4, 64):
            # Before and after, because what others do to a disk changes within seconds.
            disk = fdatasync_rate(max(1, seconds / 2))
            count = submit_for(seconds, cluster.master.field("http"), connections)
            disk = (disk + fdatasync_rate(max(1, seconds / 2))) / 2
            assert count > connections, (connections, count)
            total += count
            rows.append({"connections": connections, "per_second": round(count / seconds),
                         "fdatasync_per_second": round(disk),
                         "ratio": round(count / seconds / disk, 2)})
        assert cluster.get("/v1/state")["jobs"]["held"] == total
    return rows


class Submitter(threading.Thread):
    """Submits until told to stop; what was answered is acknowledged, what broke off is not."""

    def __init__(self, cluster):
        super().__init__()
        self.cluster, self.acknowledged, self.broken, self.stop = cluster, [], 0, False

    def run(self):
        client, address = None, None
        while not self.stop:
            try:
                if client is None or address != self.cluster.master.field("http"):
                    address = self.cluster.master.field("http")
                    client = Client(address)
                self.acknowledged += client.post('{"command": "true", "hold": true}')
            except (OSError, http.client.HTTPException, ValueError):
                self.broken += 1
                client = None
                time.sleep(0.005)


def measure_kills(kills, minutes, seed):
    choose = random.Random(seed)
    end = time.monotonic() + minutes * 60
    done = 0
    with Cluster(agents=0) as cluster:
        submitters = [Submitter(cluster) for _ in range(4)]
        for one in submitters:
            one.start()
        try:
            while done < kills and time.monotonic() < end:
                before = sum(len(one.acknowledged) for one in submitters)
                while sum(len(one.acknowledged) for one in submitters) == before:
                    time.sleep(0.001)  # a kill before any answer would prove nothing
                time.sleep(choose.random() * 0.1)
                cluster.master.kill()
                cluster.master.start()
                done += 1
        finally:
            for one in submitters:
                one.stop = True
            for one in submitters:
                one.join()
        acknowledged = [job for one in submitters for job in one.acknowledged]
        assert len(set(acknowledged)) == len(acknowledged), "an id was given twice"
        there = set()
        cursor = ""
        while cursor is not None:
            page = cluster.get(f"/v1/jobs?limit=1000{cursor}")
            there.update(job["id"] for job in page["jobs"])
            cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"
        lost = set(acknowledged) - there
        assert not lost, f"acknowledged and lost: {sorted(lost)[:20]}"
        assert len(acknowledged) >= done > 0
        return {"kills": done, "acknowledged": len(acknowledged), "lost": len(lost),
                "broken_off": sum(one.broken for one in submitters), "seed": seed}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--minutes", type=float, default=10, help="after which no more is killed")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print("replay ", json.dumps(measure_replay(options.jobs)), flush=True)
    for row in measure_submissions(options.seconds):
        print("submit ", json.dumps(row), flush=True)
    print("kills  ", json.dumps(measure_kills(options.kills, options.minutes, options.seed)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
