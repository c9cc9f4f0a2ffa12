"""Starts real daemons for a system test, talks to them, kills them, and leaves nothing behind."""

import json
import os
import pathlib
import select
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

BIN = pathlib.Path(os.environ.get("RM_BIN_DIR", "build/bin")).resolve()
DEADLINE_S = 60


def wait_until(condition, what, deadline_s=DEADLINE_S):
    """Polls until condition() is true; a system test waits for conditions, never for a time."""
    end = time.monotonic() + deadline_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"after {deadline_s} s still not: {what}")
        time.sleep(0.02)


class Daemon:
    """One process with its command line, so that it can be killed and started again as it was."""

    def __init__(self, name, command, log):
        self.name, self.command, self.log = name, [str(c) for c in command], log
        self.process = None
        self.ready = ""

    def start(self):
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=open(self.log, "ab"), text=True)
        readable, _, _ = select.select([self.process.stdout], [], [], DEADLINE_S)
        self.ready = self.process.stdout.readline().strip() if readable else ""
        if " ready " not in self.ready and " standby " not in self.ready:
            raise AssertionError(f"{self.name} did not start: {self.ready!r}; see {self.log}:\n"
                                 + pathlib.Path(self.log).read_text()[-2000:])
        return self

    def address(self):
        """Of HTTP: one of several masters that begins anew says another."""
        while select.select([self.process.stdout], [], [], 0)[0]:
            line = self.process.stdout.readline().strip()
            if not line:
                break
            if " ready " in line or " standby " in line:
                self.ready = line
        return self.field("http")

    def field(self, name):
        for word in self.ready.split():
            if word.startswith(name + "="):
                return word[len(name) + 1:]
        raise AssertionError(f"{self.name}: no {name} in {self.ready!r}")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError(f"{self.name} ignored SIGTERM for 20 s")


class Cluster:
    """A master and its agents in a directory of their own."""

    def __init__(self, agents=2, resources="cpus:4;mem:4096", master_options=(),
                 agent_options=(), on_exit="kill"):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="rm-test-"))
        self.master = Daemon("rm-master", [
            BIN / "rm-master", "--port", "0", "--cluster-port", "0",
            "--work-dir", self.directory / "master", *master_options],
            self.directory / "master.log")
        self.agents = [Daemon(f"rm-agent {n}", [
            BIN / "rm-agent", "--master-dir", self.directory / "master", "--port", "0",
            "--work-dir", self.directory / f"agent-{n}", "--hostname", f"node-{n}",
            "--resources", resources, "--on-exit", on_exit, *agent_options],
            self.directory / f"agent-{n}.log") for n in range(1, agents + 1)]

    def __enter__(self):
        try:
            self.master.start()
            for agent in self.agents:
                agent.start()
            wait_until(lambda: len(self.connected()) == len(self.agents), "all agents registered")
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None:
            for log in sorted(self.directory.glob("*.log")):
                print(f"--- {log.name}\n{log.read_text()[-3000:]}")
        shepherds = [self.shepherd_pid(n) for n in range(1, len(self.agents) + 1)]
        for daemon in [*self.agents, self.master]:
            daemon.stop()
        for pid in shepherds:
            if pid and is_shepherd(pid):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.directory, ignore_errors=True)

    def shepherd_pid(self, n):
        try:
            return int((self.directory / f"agent-{n}" / "shepherd.pid").read_text())
        except (OSError, ValueError):
            return None

    # --- the command line ---

    def rmctl_command(self, *arguments):
        verb, *rest = map(str, arguments)
        return [str(BIN / "rmctl"), verb, *rest, "--master", self.url("")]

    def rmctl(self, *arguments):
        """Its stdout; it must succeed."""
        done = subprocess.run(self.rmctl_command(*arguments), capture_output=True, timeout=DEADLINE_S)
        assert done.returncode == 0, (arguments, done)
        return done.stdout.decode()

    # --- HTTP ---

    def url(self, path):
        return f"http://{self.master.field('http')}{path}"

    def request(self, method, path, body=None, headers=None):
        """Returns (status, parsed JSON); problems are answers, not exceptions."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(self.url(path), data=data, method=method, headers={
            "Content-Type": "application/json", **(headers or {})})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null")

    def get(self, path):
        status, answer = self.request("GET", path)
        assert status == 200, (path, status, answer)
        return answer

    def submit(self, *jobs, key=None):
        headers = {"Idempotency-Key": key} if key else {}
        status, answer = self.request("POST", "/v1/jobs", {"jobs": list(jobs)}, headers)
        assert status == 201, (status, answer)
        return [job["id"] for job in answer["jobs"]]

    def submit_stubbornly(self, *jobs, key):
        """Repeats until acknowledged, as a client does whose master is being killed."""
        def attempt():
            try:
                return self.submit(*jobs, key=key)
            except (OSError, urllib.error.URLError):
                return None
        return wait_until(attempt, "the submission is acknowledged")

    def job(self, job_id):
        return self.get(f"/v1/jobs/{job_id}")

    def connected(self):
        return [n for n in self.get("/v1/nodes")["nodes"] if n["connected"]]

    def wait_terminal(self, job_ids, deadline_s=DEADLINE_S):
        def over():
            try:
                jobs = [self.job(i) for i in job_ids]
            except (OSError, urllib.error.URLError):
                return None
            if all(j["state"] in ("finished", "failed", "cancelled") for j in jobs):
                return jobs
            return None
        return wait_until(over, f"jobs {job_ids} ended", deadline_s)


def is_shepherd(pid):
    try:
        return b"rm-shepherd" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
