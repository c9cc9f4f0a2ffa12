#!/usr/bin/python3
"""Peers that send garbage, flood, stop in the middle, or stop reading: the daemons say what was wrong
with them, close them, and go on with their work. All on loopback, and for seconds."""

import contextlib
import json
import pathlib
import random
import re
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from _cluster import Cluster, wait_until  # noqa: E402

REGISTER_AGENT, SUBSCRIBE, HEARTBEAT = 1, 11, 2
FLOOD_S = 4


def crc32c_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


TABLE = crc32c_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 255] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def frame(number, payload=b"", size=None, version=1, oldest=1, request=1, magic=0x31464D52):
    """As librm/wire/frame.hpp says; `size` may lie."""
    def header(crc):
        return struct.pack("<IBBHHHIIIII", magic, 1, 0, number, version, oldest,
                           len(payload) if size is None else size, crc, 0, request, 0)
    return header(crc32c(header(0) + payload)) + payload


def endpoint(address):
    host, port = address.rsplit(":", 1)
    return host, int(port)


def is_closed(connection, deadline_s=20):
    """The other side ends it within the time, whatever it says before."""
    connection.settimeout(deadline_s)
    with contextlib.suppress(ConnectionError):
        while connection.recv(65536):
            pass
    return True


def works(cluster):
    """Jobs run, on an agent, as if nobody else were there."""
    started = time.monotonic()
    jobs = cluster.wait_terminal(cluster.submit(*[{"command": "true"} for _ in range(5)]))
    assert [job["state"] for job in jobs] == ["finished"] * 5, jobs
    return time.monotonic() - started


def memory_kib(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1])


def test_garbage(cluster):
    seed = random.Random(7)
    cases = {
        "noise": seed.randbytes(4096),
        "text": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" + b"a" * 64,
        "a size that no frame has": frame(REGISTER_AGENT, size=0xFFFFFFFF),
        "a number that nobody knows": frame(60000, b"x"),
        "a reader that does not exist yet": frame(REGISTER_AGENT, b"x", version=9, oldest=9),
        "a payload that is none": frame(REGISTER_AGENT, seed.randbytes(300)),
        "a count beyond all memory": frame(SUBSCRIBE, b"\xff" * 64),
        "a heartbeat of nobody": frame(HEARTBEAT, struct.pack("<Q", 1)),
        "a gap": frame(HEARTBEAT, struct.pack("<Q", 1), request=5),
    }
    for name, data in cases.items():
        with socket.create_connection(endpoint(cluster.master.field("cluster"))) as connection:
            connection.sendall(data)
            assert is_closed(connection), name
    log = cluster.master.log.read_text()
    for said in ("limit 16777216", "number 60000", "from version 9", "peer=127.0.0.1:"):
        assert said in log, (said, log[-3000:])
    # Whole frames, each a byte off: they are refused by their checksum or taken for what they say.
    good = frame(SUBSCRIBE, struct.pack("<Q", 0) + b"\0" * 60)
    for at in range(0, len(good), 3):
        with socket.create_connection(endpoint(cluster.master.field("cluster"))) as connection:
            connection.sendall(good[:at] + bytes([good[at] ^ 0x40]) + good[at + 1:])
            connection.shutdown(socket.SHUT_WR)
            assert is_closed(connection), at
    works(cluster)


def hammer(address, data, until, count):
    """Connects and sends as fast as it goes."""
    while time.monotonic() < until:
        with contextlib.suppress(OSError):
            with socket.create_connection(address, timeout=2) as connection:
                connection.settimeout(2)
                while time.monotonic() < until:
                    connection.sendall(data)
                    count[0] += len(data)


def test_floods(cluster):
    master, pid = cluster.master, cluster.master.process.pid
    before = memory_kib(pid)
    until = time.monotonic() + FLOOD_S
    seed = random.Random(8)
    submission = json.dumps({"jobs": [{"name": "x" * 300}]}).encode()
    floods = [
        (endpoint(master.field("cluster")), frame(HEARTBEAT, struct.pack("<Q", 1))),
        (endpoint(master.field("cluster")), seed.randbytes(1 << 16)),
        (endpoint(master.field("cluster")), frame(SUBSCRIBE, b"\0" * 8)),
        (endpoint(master.field("http")), b"GET /v1/jobs HTTP/1.1\r\nHost: x\r\n\r\n" * 50),
        (endpoint(master.field("http")), b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: "
         + str(len(submission)).encode() + b"\r\n\r\n" + submission),
        (endpoint(cluster.agents[0].field("http")), seed.randbytes(1 << 16)),
    ]
    count = [0]
    threads = [threading.Thread(target=hammer, args=(*flood, until, count)) for flood in floods]
    for thread in threads:
        thread.start()
    slowest = 0
    while time.monotonic() < until:
        slowest = max(slowest, works(cluster))
    for thread in threads:
        thread.join()
    assert count[0] > 1 << 20, "it was a flood"
    assert all(n["connected"] and n["status"] == "admitted" for n in cluster.get("/v1/nodes")["nodes"])
    grown = memory_kib(pid) - before
    assert grown < 200 << 10, f"{grown} KiB more"
    lines = master.log.read_text().count("level=warn")
    assert lines < 100, f"{lines} lines of log for it"
    print(f"{count[0] >> 20} MiB of floods in {FLOOD_S} s; five jobs took at most {slowest:.2f} s, "
          f"the master grew by {grown} KiB")


def test_slow_peers(cluster):
    """Connections that stop in the middle of a request, or never read, hold up nobody."""
    idle = []
    try:
        for n in range(200):
            connection = socket.create_connection(
                endpoint(cluster.master.field("cluster" if n % 2 else "http")))
            connection.sendall(frame(REGISTER_AGENT, b"x" * 64)[:20 + n % 30] if n % 2 else
                               b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n{")
            idle.append(connection)
        # Followers of all events that read none of them, while there are many.
        for _ in range(3):
            connection = socket.socket()
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(endpoint(cluster.master.field("http")))
            connection.sendall(b"GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
            idle.append(connection)
        pid = cluster.master.process.pid
        before = memory_kib(pid)
        for _ in range(5):
            ids = cluster.submit(*[{"name": f"{'n' * 100}-{n}", "command": "true", "hold": True} for n in range(2000)])
            cluster.rmctl("cancel", f"{ids[0]}-{ids[-1]}")
        works(cluster)
        grown = memory_kib(pid) - before
        assert grown < 200 << 10, f"{grown} KiB more"
        print(f"with {len(idle)} connections that do nothing, jobs run; the master grew by {grown} KiB")
    finally:
        for connection in idle:
            connection.close()
    works(cluster)


if __name__ == "__main__":
    with Cluster(agents=1) as one:
        test_garbage(one)
        test_floods(one)
        test_slow_peers(one)
