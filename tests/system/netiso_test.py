#!/usr/bin/python3
"""An isolator as other tools see it: ip and tc, between two namespaces, while its command runs."""

import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import threading

BIN = pathlib.Path(os.environ.get("RM_BIN_DIR", "build/bin")).resolve()
DEADLINE_S = 60
BYTES = 300_000

# What the task does: says what it sees, then sends to its gateway. The server's port is argv[1].
TASK = """
import json, socket, subprocess, sys
def text(*command):
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout
def show(*command):
    return json.loads(text(*command))
seen = {"addresses": show("ip", "-j", "-4", "address"), "routes": show("ip", "-j", "-4", "route"),
        "classes": text("tc", "class", "show", "dev", "eth0"),
        "queues": show("tc", "-j", "qdisc", "show", "dev", "eth0")}
with socket.create_connection(("10.77.0.1", int(sys.argv[1])), 30) as connection:
    connection.sendall(b"x" * int(sys.argv[2]))
    connection.shutdown(socket.SHUT_WR)
    connection.recv(1)  # until the other side has all: what is queued goes with the link
print("seen " + json.dumps(seen))
"""


def refuse(reason):
    """A lacking privilege fails in CI and skips elsewhere."""
    print(f"netiso_test: {reason}", file=sys.stderr)
    sys.exit(1 if os.environ.get("CI") == "true" else 77)


def ip(*words):
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout


def names():
    return {entry["name"] for entry in json.loads(ip("-j", "netns", "list") or "[]")}


class Host:
    """A namespace that plays the host; entered by nsenter, since `ip netns exec` hides mounts."""

    def __init__(self):
        self.name = f"rm-test-host-{os.getpid()}"

    def __enter__(self):
        ip("netns", "add", self.name)
        return self

    def __exit__(self, *_):
        subprocess.run(["ip", "netns", "delete", self.name], check=False)

    def command(self, *words):
        return ["nsenter", f"--net=/run/netns/{self.name}", *map(str, words)]

    def links(self):
        return [link["ifname"] for link in json.loads(ip("-n", self.name, "-j", "link"))]


class Sink:
    """Counts what one connection brings. The socket is made in the host's namespace and handed over."""

    def __init__(self, host):
        ours, theirs = socket.socketpair()
        maker = ("import socket, sys; s = socket.socket(); s.bind(('', 0)); s.listen(1);"
                 f"socket.send_fds(socket.socket(fileno={theirs.fileno()}), [b'x'], [s.fileno()])")
        subprocess.run(host.command(sys.executable, "-c", maker), check=True, timeout=DEADLINE_S,
                       pass_fds=[theirs.fileno()])
        _, (listener,), _, _ = socket.recv_fds(ours, 1, 1)
        ours.close()
        theirs.close()
        self.listener = socket.socket(fileno=listener)
        self.listener.settimeout(DEADLINE_S)
        self.port = self.listener.getsockname()[1]
        self.received = 0
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        with self.listener:
            connection, _ = self.listener.accept()
        with connection:
            connection.settimeout(DEADLINE_S)
            while data := connection.recv(65536):
                self.received += len(data)

    def finish(self):
        self.thread.join()
        return self.received


def isolate(host, name, rate, *command, status=0):
    done = subprocess.run(host.command(BIN / "example-isolate", name, rate, *command),
                          capture_output=True, text=True, timeout=DEADLINE_S)
    assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
    return done.stdout + done.stderr


def check_limited(host, name):
    sink = Sink(host)
    said = isolate(host, name, 20_000_000, sys.executable, "-c", TASK, sink.port, BYTES)
    assert sink.finish() == BYTES, said
    seen = json.loads(re.search(r"^seen (.*)$", said, re.M).group(1))
    addresses = {link["ifname"]: [f"{a['local']}/{a['prefixlen']}" for a in link["addr_info"]]
                 for link in seen["addresses"] if link["addr_info"]}
    assert addresses == {"lo": ["127.0.0.1/8"], "eth0": ["10.77.0.2/30"]}, addresses
    default = [route for route in seen["routes"] if route["dst"] == "default"]
    assert [(route["gateway"], route["dev"]) for route in default] == [("10.77.0.1", "eth0")]
    root = [queue for queue in seen["queues"] if queue.get("root")]
    assert root[0]["kind"] in ("htb", "tbf"), root
    if root[0]["kind"] == "htb":
        rates = dict(re.findall(r"^class htb (\S+) .*?rate (\S+) ceil \2 ", seen["classes"], re.M))
        assert rates == {"1:1": "20Mbit", "1:10": "20Mbit"}, seen["classes"]
    sent = int(re.search(r"^eth0: sent (\d+) bytes", said, re.M).group(1))
    assert BYTES <= sent < 2 * BYTES, said
    held_back = int(re.search(r"held back (\d+) times", said).group(1))
    assert held_back > 0, said


def run(host):
    name = f"rm-test-task-{os.getpid()}"
    before = names()
    check_limited(host, name)
    assert names() == before and host.links() == ["lo"], (names(), host.links())

    isolate(host, name, 20_000_000, "sh", "-c", "exit 7", status=7)
    said = isolate(host, "../x", 20_000_000, "true", status=1)
    assert "namespace '../x': need 1..64" in said, said
    said = isolate(host, name, 1, "true", status=1)
    assert "egress: 1 bit/s, need 8000.." in said, said
    assert names() == before and host.links() == ["lo"], (names(), host.links())


def main():
    if not (BIN / "example-isolate").exists():
        refuse("example-isolate is not built")
    if os.geteuid() != 0:
        refuse("needs root for network namespaces")
    for tool in ("ip", "tc", "nsenter"):
        if not shutil.which(tool):
            refuse(f"needs {tool}")
    try:
        with Host() as host:
            run(host)
    except subprocess.CalledProcessError as error:
        print(error.stderr, file=sys.stderr)
        raise
    print("netiso_test: ok")


if __name__ == "__main__":
    main()
