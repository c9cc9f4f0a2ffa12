"""Several masters on one ZooKeeper and one PostgreSQL, their agents, and who leads."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import urllib.error
import urllib.request

from _cluster import BIN, Daemon, is_shepherd, wait_until
from _servers import Postgres, ZooKeeper


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments):
        return None


OPENER = urllib.request.build_opener(NoRedirect)


def ask(address, method, path, body=None, headers=None, timeout=30):
    """(status, headers, parsed body) of one master, redirections not followed; 0: nobody there."""
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(f"http://{address}{path}", data=data, method=method, headers={
        "Content-Type": "application/json", **(headers or {})})
    try:
        with OPENER.open(request, timeout=timeout) as answer:
            return answer.status, answer.headers, parsed(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, error.headers, parsed(error.read())
    except OSError:
        return 0, {}, None


def parsed(text):
    try:
        return json.loads(text or b"null")
    except ValueError:
        return text


class Masters:
    def __init__(self, masters=3, agents=2, zookeepers=1, resources="cpus:4;mem:4096",
                 session="1s", master_options=(), agent_options=()):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="rm-masters-"))
        self.postgres = Postgres()
        self.zookeeper = ZooKeeper(zookeepers)
        self.options = ["--zk-session-timeout", session, "--heartbeat-interval", "500ms",
                        "--agent-lease", "3s", "--unreachable-after", "6s",
                        "--agent-return-timeout", "8s", *master_options]
        self.masters = [self.master(n) for n in range(1, masters + 1)]
        self.agents = [Daemon(f"rm-agent {n}", [
            BIN / "rm-agent", "--master", self.zookeeper.url(), "--port", "0",
            "--work-dir", self.directory / f"agent-{n}", "--hostname", f"node-{n}",
            "--resources", resources, "--on-exit", "kill", *agent_options],
            self.directory / f"agent-{n}.log") for n in range(1, agents + 1)]

    def master(self, n):
        return Daemon(f"rm-master {n}", [
            BIN / "rm-master", "--port", "0", "--cluster-port", "0",
            "--work-dir", self.directory / f"master-{n}", "--zk", self.zookeeper.url(),
            "--state", self.postgres.url(), *self.options],
            self.directory / f"master-{n}.log")

    def __enter__(self):
        try:
            self.postgres.start()
            self.zookeeper.start()
            for daemon in [*self.masters, *self.agents]:
                daemon.start()
            wait_until(lambda: self.connected() == len(self.agents), "all agents registered")
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None:
            for log in sorted(self.directory.glob("*.log")):
                print(f"--- {log.name}\n{log.read_text()[-4000:]}")
        shepherds = [self.shepherd_pid(n) for n in range(1, len(self.agents) + 1)]
        for daemon in self.masters:
            if daemon.process and daemon.process.poll() is None:
                os.kill(daemon.process.pid, signal.SIGCONT)
        try:
            for daemon in [*self.agents, *self.masters]:
                daemon.stop()
        finally:
            for pid in shepherds:
                if pid and is_shepherd(pid):
                    os.kill(pid, signal.SIGKILL)
            self.zookeeper.stop()
            self.postgres.stop()
            shutil.rmtree(self.directory, ignore_errors=True)

    def shepherd_pid(self, n):
        try:
            return int((self.directory / f"agent-{n}" / "shepherd.pid").read_text())
        except (OSError, ValueError):
            return None

    # --- who leads ---

    def addresses(self):
        """Of those that run, as they last said: one that began anew has another port."""
        found = []
        for daemon in self.masters:
            if daemon.process is None or daemon.process.poll() is not None:
                continue
            found.append((daemon, daemon.address()))
        return found

    def leader(self):
        """The daemon that leads and answers, and its address; None where there is none now."""
        for daemon, address in self.addresses():
            status, _, state = ask(address, "GET", "/v1/state", timeout=2)
            if status == 200:
                return daemon, address, state
        return None

    def wait_leader(self, but=None, deadline_s=60):
        def found():
            one = self.leader()
            return one if one and one[0] is not but else None
        return wait_until(found, "a master leads", deadline_s)

    def connected(self):
        one = self.leader()
        if one is None:
            return -1
        status, _, nodes = ask(one[1], "GET", "/v1/nodes")
        if status != 200:
            return -1
        return sum(1 for node in nodes["nodes"] if node["connected"])

    # --- requests, to whoever leads ---

    def request(self, method, path, body=None, headers=None, deadline_s=60):
        """Repeated until a leader has answered: give an idempotency key where that matters."""
        def answered():
            one = self.leader()
            if one is None:
                return None
            status, _, answer = ask(one[1], method, path, body, headers)
            return (status, answer) if status not in (0, 307, 503) else None
        return wait_until(answered, f"{method} {path} is answered", deadline_s)

    def rmctl(self, *arguments, master=None, timeout=60):
        done = subprocess.run([str(BIN / "rmctl"), *map(str, arguments)], capture_output=True,
                              timeout=timeout,
                              env={**os.environ, "RM_MASTER": master or self.zookeeper.url()})
        assert done.returncode == 0, (arguments, done)
        return done.stdout.decode()
