#!/usr/bin/python3
"""Five hosts are partitioned while schedules run: every target that a majority can meet is met.

    tests/system/partition_test.py [--seconds N] [--schedules N] [--seed N]

The shape of Jepsen's test of Chronos (2015). Each host is a network namespace with a ZooKeeper
server, a master, and an agent; PostgreSQL is on a sixth that every host reaches, whatever happens
between them: the cluster is as available as its database. Schedules are random, with an interval
of 1 + duration + epsilon + 5 + up to 30 s. Nemesis: partitions 2|3, SIGKILL and SIGSTOP of the
leader, restarts of agents in mid-run; one host's clock is a minute ahead.

A target [t, t + epsilon + 5 s] is met by a completed run of its own that starts inside it. What
each run noted itself is compared: no task id starts twice, no two runs of a schedule overlap, and
no more runs complete than there are targets. One excuse, and it is counted: a run that began in
time on a host that a partition then left in a minority was killed there by its fence, and is run
anew by the others, maybe later than epsilon.
"""

import argparse
import collections
import datetime
import os
import pathlib
import pwd
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from _namespaces import enter_namespaces, mount  # noqa: E402

enter_namespaces("net", "mount")
from _cluster import BIN, is_shepherd  # noqa: E402
from _servers import ZOOKEEPER_JAR, enter, wait_for  # noqa: E402

HOSTS = range(1, 6)
FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
# /proc/uptime is the clock that nobody skews.
UPTIME = "$(cut -d' ' -f1 /proc/uptime)"
SLACK_S = 5.0


def run(*command, **options):
    subprocess.run([str(word) for word in command], check=True, **options)


def uptime():
    return float(pathlib.Path("/proc/uptime").read_text().split()[0])


class Network:
    """Bridge ba joins all hosts; a partition moves some to bb. Bridge bc reaches the database."""

    def __init__(self):
        mount("-t", "tmpfs", "tmpfs", "/run")
        pathlib.Path("/run/netns").mkdir()
        for bridge in ("ba", "bb", "bc"):
            run("ip", "link", "add", bridge, "type", "bridge")
            run("ip", "link", "set", bridge, "up")
        run("ip", "addr", "add", "10.77.0.254/24", "dev", "ba")
        for n in HOSTS:
            self.host(f"h{n}", (f"e{n}", "ba", f"10.77.0.{n}/24"), (f"d{n}", "bc", f"10.78.0.{n}/24"))
        self.host("db", ("dbe", "bc", "10.78.0.100/24"))

    @staticmethod
    def host(name, *links):
        run("ip", "netns", "add", name)
        run("ip", "-n", name, "link", "set", "lo", "up")
        for outer, bridge, address in links:
            run("ip", "link", "add", outer, "type", "veth", "peer", "name", f"i-{outer}", "netns",
                name)
            run("ip", "link", "set", outer, "master", bridge, "up")
            run("ip", "-n", name, "addr", "add", address, "dev", f"i-{outer}")
            run("ip", "-n", name, "link", "set", f"i-{outer}", "up")

    @staticmethod
    def split(minority):
        for n in minority:
            run("ip", "link", "set", f"e{n}", "master", "bb")

    @staticmethod
    def heal():
        for n in HOSTS:
            run("ip", "link", "set", f"e{n}", "master", "ba")


class Process:
    def __init__(self, host, command, log, environment=None, user=None, number=signal.SIGKILL):
        self.host, self.command, self.log = host, [str(word) for word in command], log
        self.environment, self.user, self.number = environment or {}, user, number
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.DEVNULL, stdout=open(self.log, "ab"),
            stderr=subprocess.STDOUT, cwd="/", env={**os.environ, **self.environment},
            preexec_fn=enter(f"/run/netns/{self.host}", self.number, self.user))
        return self

    def kill(self, number=signal.SIGKILL):
        if self.process:
            self.process.send_signal(number)
            if number not in (signal.SIGSTOP, signal.SIGCONT):
                self.process.wait()


class Cluster:
    def __init__(self, skewed):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="rm-partition-"))
        self.directory.chmod(0o755)
        self.network = Network()
        self.postgres = self.make_postgres()
        self.zookeepers = [self.make_zookeeper(n) for n in HOSTS]
        self.zk = "zk://" + ",".join(f"10.77.0.{n}:2181" for n in HOSTS) + "/librm"
        self.masters, self.agents = {}, {}
        for n in HOSTS:
            clock = {"LD_PRELOAD": FAKETIME, "FAKETIME": "+60s", "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                     "FAKETIME_DONT_RESET": "1"} if n == skewed else {}
            common = ["--listen", f"10.77.0.{n}", "--log-level", "info"]
            self.masters[n] = Process(f"h{n}", [
                BIN / "rm-master", *common, "--port", "5050", "--cluster-port", "5150", "--work-dir",
                self.directory / f"master-{n}", "--zk", self.zk, "--zk-session-timeout", "2s",
                "--state", "postgresql://postgres@10.78.0.100:5432/postgres",
                "--heartbeat-interval", "500ms", "--agent-lease", "2s", "--unreachable-after", "4s",
                "--agent-return-timeout", "4s"], self.directory / f"master-{n}.log", clock)
            self.agents[n] = Process(f"h{n}", [
                BIN / "rm-agent", *common, "--master", self.zk, "--port", "5051", "--work-dir",
                self.directory / f"agent-{n}", "--hostname", f"h{n}", "--resources",
                "cpus:4;mem:4096"], self.directory / f"agent-{n}.log", clock)

    def make_postgres(self):
        binaries = max(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))
        user = pwd.getpwnam("postgres")
        home = self.directory / "postgres"
        home.mkdir()
        os.chown(home, user.pw_uid, user.pw_gid)
        run(binaries / "initdb", "-D", home / "data", "-U", "postgres", "-A", "trust", "-N",
            stdout=subprocess.DEVNULL, cwd="/",
            preexec_fn=enter("/run/netns/db", signal.SIGTERM, user))
        with open(home / "data" / "pg_hba.conf", "a") as rules:
            rules.write("host all all 10.78.0.0/24 trust\n")
        return Process("db", [
            binaries / "postgres", "-D", home / "data", "-c", "listen_addresses=10.78.0.100", "-c",
            "unix_socket_directories="], self.directory / "postgres.log", user=user,
            number=signal.SIGQUIT)

    def make_zookeeper(self, n):
        home = self.directory / f"zookeeper-{n}"
        home.mkdir()
        (home / "myid").write_text(str(n))
        lines = ["tickTime=250", "initLimit=60", "syncLimit=8", "minSessionTimeout=500",
                 "maxClientCnxns=0", "admin.enableServer=false", f"dataDir={home}",
                 "clientPort=2181", f"clientPortAddress=10.77.0.{n}"]
        lines += [f"server.{i}=10.77.0.{i}:2888:3888" for i in HOSTS]
        (home / "zoo.cfg").write_text("\n".join(lines) + "\n")
        return Process(f"h{n}", [
            "/usr/bin/java", "-Xmx96m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp",
            f"{home}:{ZOOKEEPER_JAR}", "org.apache.zookeeper.server.quorum.QuorumPeerMain",
            home / "zoo.cfg"], self.directory / f"zookeeper-{n}.log")

    def __enter__(self):
        try:
            self.postgres.start()
            for server in self.zookeepers:
                server.start()
            for process in [*self.masters.values(), *self.agents.values()]:
                process.start()
            wait_for(lambda: self.leader() and self.nodes() == 5, "five agents are registered")
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        return self

    def __exit__(self, kind, value, trace):
        shepherds = []
        for n in HOSTS:
            try:
                pid = int((self.directory / f"agent-{n}" / "shepherd.pid").read_text())
            except (OSError, ValueError):
                continue
            shepherds.append(pid)
        for process in [*self.agents.values(), *self.masters.values(), *self.zookeepers]:
            process.kill()
        for pid in shepherds:
            if is_shepherd(pid):
                os.kill(pid, signal.SIGKILL)
        self.postgres.kill(signal.SIGQUIT)
        if kind is not None:
            for log in sorted(self.directory.glob("*.log")):
                print(f"--- {log.name}\n{log.read_text(errors='replace')[-3000:]}")
        shutil.rmtree(self.directory, ignore_errors=True)

    # --- who leads, from outside of every host ---

    def ask(self, n, method, path, body=None):
        """(status, answer) of the master on host n; (0, None) where it does not answer."""
        from _masters import ask
        status, _, answer = ask(f"10.77.0.{n}:5050", method, path, body, timeout=1)
        return status, answer

    def leader(self):
        for n in HOSTS:
            if self.ask(n, "GET", "/v1/state")[0] == 200:
                return n
        return None

    def nodes(self):
        status, answer = self.ask(self.leader() or 1, "GET", "/v1/nodes")
        return sum(1 for node in answer["nodes"] if node["connected"]) if status == 200 else 0


class Schedules:
    """Random ones, and what became of them."""

    def __init__(self, cluster, prng, wall):
        self.cluster, self.prng, self.wall = cluster, prng, wall
        self.log = cluster.directory / "runs.txt"
        self.acknowledged = {}
        self.failed = None

    def add_all(self, numbers):
        """Acknowledged while things are broken counts as much."""
        try:
            for number in numbers:
                time.sleep(2)
                self.add(number)
        except BaseException as error:  # a thread's failure is the test's
            self.failed = error

    def add(self, number):
        duration = self.prng.randint(1, 9)
        epsilon = self.prng.randint(10, 29)
        interval = 1 + duration + epsilon + 5 + self.prng.randint(0, 30)
        start = round(time.time() + self.prng.uniform(2, 12))
        count = self.prng.randint(1, 99)
        name = f"s{number}"
        note = f"$RM_TASK_ID {name} $h {UPTIME}"
        begins = datetime.datetime.fromtimestamp(start, datetime.timezone.utc)
        body = {"name": name, "schedule": f"R{count}/{begins:%Y-%m-%dT%H:%M:%SZ}/PT{interval}S",
                "epsilon": f"{epsilon}s", "overlap": "allow", "job": {
                    "command": f"h=${{PWD#*/agent-}}; h=${{h%%/*}}; trap 'echo killed {note} >> {self.log}; exit 1' TERM; "
                               f"echo start {note} >> {self.log}; sleep {duration} & wait $!; "
                               f"echo end {note} >> {self.log}",
                    "cpus": 0.5, "mem": 16, "lost": "fence", "fence_after": "1s",
                    "kill_grace": "1s"}}

        def accepted():
            leader = self.cluster.leader()
            if leader is None:
                return False
            status, answer = self.cluster.ask(leader, "POST", "/v1/schedules", body)
            assert status in (0, 201, 307, 409, 503), (status, answer)
            return status in (201, 409)
        wait_for(accepted, f"{name} is accepted")
        self.acknowledged[name] = (start, interval, epsilon, count, duration)

    def runs(self):
        """name -> [(task, start, end, how, host)], times as everybody's clock would say."""
        began, found, twice = {}, collections.defaultdict(list), []
        for line in self.log.read_text().splitlines() if self.log.exists() else []:
            what, task, name, host, at = line.split()
            at = float(at) + self.wall
            if what == "start":
                if task in began:
                    twice.append(task)
                began[task] = (name, at, int(host))
            else:
                found[name].append((task, began[task][1], at, what, int(host)))
        ended = {task for runs in found.values() for task, *_ in runs}
        for task, (name, at, host) in began.items():
            if task not in ended:
                found[name].append((task, at, None, "unknown", host))
        assert not twice, f"started twice: {twice}"
        return {name: sorted(runs, key=lambda run: run[1]) for name, runs in found.items()}

    def check(self, until, was_cut_off):
        """was_cut_off(host, at, for_s): whether a partition left host in a minority meanwhile."""
        runs = self.runs()
        targets = met = late = fenced = 0
        missed = []
        for name, (start, interval, epsilon, count, duration) in self.acknowledged.items():
            own = runs.get(name, [])
            completed = [run for run in own if run[3] == "end"]
            due = [start + k * interval for k in range(count)
                   if start + k * interval + epsilon + SLACK_S + duration + 1 < until]
            targets += len(due)
            for t in due:
                inside = [run for run in own if t <= run[1] + 0.02 and run[1] <= t + epsilon + SLACK_S]
                hits = [run for run in inside if run[3] == "end"]
                met += len(hits) == 1
                anew = [run for run in completed for cut in inside
                        if cut[3] in ("unknown", "killed") and was_cut_off(cut[4], cut[1], duration)
                        and run[0].rsplit(".", 1)[0] == cut[0].rsplit(".", 1)[0]]
                if not hits and anew:
                    fenced += 1
                elif len(hits) != 1:
                    missed.append((name, datetime.datetime.fromtimestamp(t).time(), epsilon,
                                   [(run[0], round(run[1] - t, 1), run[3]) for run in own
                                    if abs(run[1] - t) < interval]))
            late += sum(1 for before, after in zip(own, own[1:])
                        if before[2] is not None and after[1] < before[2])
        if fenced:
            print(f"{fenced} targets were begun in time, fenced in a minority, and run anew")
        assert not late, f"{late} runs of one schedule overlap: {runs}"
        return targets, met, missed, sum(len(own) for own in runs.values())


class Nemesis:
    """One thing goes wrong after the other, and is repaired. On the main thread: what a thread
    starts would end with it."""

    def __init__(self, cluster, prng, seconds):
        self.cluster, self.prng, self.end = cluster, prng, time.monotonic() + seconds
        self.done = collections.Counter()
        self.partitions = []

    def was_cut_off(self, host, at, for_s):
        return any(host in minority and at < end and begin < at + for_s
                   for minority, begin, end in self.partitions)

    def run(self):
        deeds = [self.partition, self.kill_leader, self.partition, self.stop_leader,
                 self.restart_agent]
        while time.monotonic() < self.end:
            for deed in deeds:
                if time.monotonic() >= self.end:
                    break
                deed()
                self.done[deed.__name__] += 1
                time.sleep(self.prng.uniform(3, 6))

    def partition(self):
        leader = self.cluster.leader()
        minority = self.prng.sample(list(HOSTS), 2)
        if leader and self.done["partition"] % 2 == 0:  # that which hurts most, every other time
            minority = [leader, self.prng.choice([n for n in HOSTS if n != leader])]
        print(f"{time.strftime('%H:%M:%S')} partition {minority}|rest, leader {leader}", flush=True)
        begin = time.time()
        self.cluster.network.split(minority)
        time.sleep(self.prng.uniform(10, 18))
        self.cluster.network.heal()
        self.partitions.append((minority, begin, time.time()))

    def kill_leader(self):
        leader = self.cluster.leader() or self.prng.choice(list(HOSTS))
        print(f"{time.strftime('%H:%M:%S')} kill master {leader}", flush=True)
        self.cluster.masters[leader].kill()
        time.sleep(self.prng.uniform(1, 4))
        self.cluster.masters[leader].start()

    def stop_leader(self):
        leader = self.cluster.leader() or self.prng.choice(list(HOSTS))
        print(f"{time.strftime('%H:%M:%S')} stop master {leader}", flush=True)
        self.cluster.masters[leader].kill(signal.SIGSTOP)
        time.sleep(self.prng.uniform(3, 6))
        self.cluster.masters[leader].kill(signal.SIGCONT)

    def restart_agent(self):
        n = self.prng.choice(list(HOSTS))
        print(f"{time.strftime('%H:%M:%S')} restart agent {n}", flush=True)
        self.cluster.agents[n].kill()
        time.sleep(self.prng.uniform(0.2, 1.5))
        self.cluster.agents[n].start()


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--schedules", type=int, default=16)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    prng = random.Random(options.seed)
    wall = time.time() - uptime()
    with Cluster(skewed=prng.choice(list(HOSTS))) as cluster:
        schedules = Schedules(cluster, prng, wall)
        for n in range(options.schedules // 2):
            schedules.add(n)
        more = threading.Thread(target=schedules.add_all, args=(
            range(options.schedules // 2, options.schedules),))
        more.start()
        nemesis = Nemesis(cluster, random.Random(options.seed), options.seconds)
        nemesis.run()
        cluster.network.heal()
        more.join()
        if schedules.failed:
            raise schedules.failed
        wait_for(lambda: cluster.leader() and cluster.nodes() == 5, "all is well again")
        until = time.time()
        time.sleep(12)  # what began in time may end
        targets, met, missed, runs = schedules.check(until, nemesis.was_cut_off)
        print(f"{len(schedules.acknowledged)} schedules, {met} of {targets} targets met, {runs} runs; "
              f"{dict(nemesis.done)}")
        assert not missed, "\n".join(map(str, missed))
        assert targets >= 5, targets
    print("1 passed, 0 failed")


if __name__ == "__main__":
    main()
