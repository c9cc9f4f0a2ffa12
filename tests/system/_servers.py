"""Real PostgreSQL and ZooKeeper for system tests: own data, own ports, ended by their ids."""

import ctypes
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time

PR_SET_PDEATHSIG = 1
ZOOKEEPER_JAR = "/usr/share/java/zookeeper.jar"


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def dies_with_us(number, user=None):
    """For preexec_fn: the server ends with this test, however that ends."""
    def prepare():
        if user:
            os.setgid(user.pw_gid)
            os.setuid(user.pw_uid)
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)
    return prepare


def enter(namespace, number, user=None):
    """For preexec_fn: into a network namespace, by its file; ends with this test, too."""
    clone_newnet = 0x40000000

    def prepare():
        with open(namespace) as file:
            if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), clone_newnet) != 0:
                raise OSError(ctypes.get_errno(), f"setns {namespace}")
        dies_with_us(number, user)()
    return prepare


def reachable(port):
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_for(condition, what, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"after {seconds} s still not: {what}")
        time.sleep(0.05)


class Postgres:
    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="rm-postgres-"))
        self.bin = max(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))
        self.user = pwd.getpwnam("postgres") if os.getuid() == 0 else None
        if self.user:
            os.chown(self.directory, self.user.pw_uid, self.user.pw_gid)
        self.port = free_ports(1)[0]
        self.process = None
        subprocess.run([self.bin / "initdb", "-D", self.directory / "data", "-U", "postgres", "-A",
                        "trust", "-N"], check=True, stdout=subprocess.DEVNULL, cwd="/",
                       preexec_fn=dies_with_us(signal.SIGTERM, self.user))

    def start(self, listen="127.0.0.1"):
        self.process = subprocess.Popen(
            [self.bin / "postgres", "-D", self.directory / "data", "-p", str(self.port),
             "-c", f"listen_addresses={listen}", "-c", "unix_socket_directories="],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd="/",
            stderr=open(self.directory / "log", "ab"),
            preexec_fn=dies_with_us(signal.SIGQUIT, self.user))
        wait_for(self.answers, "PostgreSQL answers")
        return self

    def answers(self):
        return subprocess.run([self.bin / "pg_isready", "-h", "127.0.0.1", "-p", str(self.port)],
                              stdout=subprocess.DEVNULL, check=False).returncode == 0

    def url(self, host="127.0.0.1"):
        return f"postgresql://postgres@{host}:{self.port}/postgres"

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)


class ZooKeeper:
    """An ensemble on this host; with the ticks that a session of one second needs."""

    def __init__(self, servers=1):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="rm-zookeeper-"))
        self.clients = free_ports(servers)
        peers, elections = free_ports(servers), free_ports(servers)
        for n in range(servers):
            home = self.directory / str(n)
            home.mkdir()
            (home / "myid").write_text(str(n + 1))
            lines = ["tickTime=250", "initLimit=60", "syncLimit=8", "maxClientCnxns=0",
                     "minSessionTimeout=500", "admin.enableServer=false",
                     f"dataDir={home}", f"clientPort={self.clients[n]}",
                     "clientPortAddress=127.0.0.1"]
            if servers > 1:
                lines += [f"server.{i + 1}=127.0.0.1:{peers[i]}:{elections[i]}"
                          for i in range(servers)]
            (home / "zoo.cfg").write_text("\n".join(lines) + "\n")
        self.processes = [None] * servers

    def start(self):
        for n in range(len(self.processes)):
            self.start_server(n)
        for port in self.clients:
            wait_for(lambda port=port: reachable(port), "ZooKeeper answers")
        return self

    def start_server(self, n):
        home = self.directory / str(n)
        self.processes[n] = subprocess.Popen(
            ["/usr/bin/java", "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp",
             f"{home}:{ZOOKEEPER_JAR}", "org.apache.zookeeper.server.quorum.QuorumPeerMain",
             str(home / "zoo.cfg")],
            stdin=subprocess.DEVNULL, stdout=open(home / "log", "ab"), stderr=subprocess.STDOUT,
            preexec_fn=dies_with_us(signal.SIGKILL))

    def url(self, path="/librm"):
        return "zk://" + ",".join(f"127.0.0.1:{port}" for port in self.clients) + path

    def stop(self):
        for process in self.processes:
            if process:
                process.kill()
                process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)
