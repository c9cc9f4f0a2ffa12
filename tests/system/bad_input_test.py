#!/usr/bin/python3
"""Bad input to real daemons: refused with the field at fault, and nothing is changed by it."""

import http.client
import json
import os
import pathlib
import socket
import sys
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from _cluster import Cluster  # noqa: E402

SOURCE = pathlib.Path(os.environ.get("RM_SOURCE_DIR", pathlib.Path(__file__).parents[2]))
SCHEMAS = json.loads((SOURCE / "daemons/http/openapi.json").read_text())["components"]["schemas"]
IGNORED = {"successCount", "errorCount", "errorsSinceLastSuccess", "lastSuccess", "lastError"}
# No field takes any of these; the last is an object whose depth is what is wrong.
WRONG = ["null", "-1.5", "18446744073709551616", "1e300", "[[]]", "[null]", "[-1]", '{"x": 1}',
         "[" * 65 + "]" * 65]
DAILY = {"schedule": "R/2040-01-01T00:00:00Z/P1D"}
FORMS = [  # (method, path, pointer to the object, its schema, good fields, what surrounds it)
    ("POST", "/v1/jobs", "", "JobSpec", {"command": "true"}, "%s"),
    ("POST", "/v1/jobs", "/jobs/1", "JobSpec", {"command": "true"},
     '{"jobs": [{"command": "true"}, %s]}'),
    ("POST", "/v1/schedules", "", "ScheduleSpec",
     {"name": "new", "job": {"command": "true"}, **DAILY}, "%s"),
    ("PUT", "/v1/schedules/new", "/job", "JobSpec", {"command": "true"},
     '{"schedule": "R/2040-01-01T00:00:00Z/P1D", "job": %s}'),
    ("POST", "/scheduler/iso8601", "", "ChronosJob",
     {"name": "new", "command": "true", "schedule": "R1/2040-01-01T00:00:00Z/P1D"}, "%s"),
    ("POST", "/v1/jobs/there/cancel", "", "Reason", {}, "%s"),
    ("POST", "/v1/schedules/nightly/trigger", "", "TriggerArguments", {}, "%s"),
]


def ask(address, method, path, body=None):
    host, port = address.split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    connection.request(method, path, body)
    answer = connection.getresponse()
    return answer.status, answer.headers["Content-Type"], answer.read()


def refusal(address, method, path, body=None):
    """The problem with which the request is refused."""
    status, content_type, content = ask(address, method, path, body)
    what = (method, path[:200], (body or "")[:300], status, content[:400])
    assert 400 <= status < 500, what
    assert content_type == "application/problem+json", what
    problem = json.loads(content)
    assert problem["status"] == status and problem["detail"], what
    return problem


def check_blamed(problem, pointer, what):
    paths = [error["path"] for error in problem.get("errors", [])]
    assert paths, (what, problem)
    for path in paths:
        assert path == pointer or path.startswith(pointer + "/"), (what, problem)


def state(cluster):
    """All that can be seen; the agents' numbers move by themselves and are left out."""
    return [cluster.get(path) for path in
            ("/v1/jobs?attempts=1", "/v1/schedules", "/v1/frameworks", "/scheduler/jobs")]


def check_fields(cluster, address):
    before = state(cluster)
    for method, path, pointer, schema, base, around in FORMS:
        for field in SCHEMAS[schema]["properties"]:
            others = ", ".join(f"{json.dumps(key)}: {json.dumps(value)}"
                               for key, value in base.items() if key != field)
            for value in WRONG[-1:] if field in IGNORED else WRONG:
                member = f"{json.dumps(field)}: {value}"
                body = around % ("{" + ", ".join(filter(None, [others, member])) + "}")
                check_blamed(refusal(address, method, path, body), f"{pointer}/{field}",
                             (method, path, body[:300]))
            twice = around % ("{" + f'"{field}": true, "{field}": true' + "}")
            check_blamed(refusal(address, method, path, twice), f"{pointer}/{field}", twice)
        assert state(cluster) == before, (method, path)


def check_services(cluster, address):
    """Expressions and zones are known to a real master."""
    before = state(cluster)
    for body, path, detail in [
            ({"command": "x", "constraints_like": {"rack": "("}}, "/constraints_like", "rack"),
            ({"command": "x", "constraints_unlike": {"rack": "(?=a)"}}, "/constraints_unlike", ""),
            ({"command": "x", "cpus": 5}, "/cpus", "need 5"),
            ({"command": "x", "after_ok": "nobody"}, "/after_ok", "nobody")]:
        problem = refusal(address, "POST", "/v1/jobs", json.dumps(body))
        check_blamed(problem, path, body)
        assert detail in problem["detail"], problem
    for zone in ("Europe/Pragu", "../../etc/passwd", "Europe/Prague\0"):
        problem = refusal(address, "PUT", "/v1/schedules/new", json.dumps(
            {"schedule_timezone": zone, "job": {"command": "x"}, **DAILY}))
        check_blamed(problem, "/schedule_timezone", zone)
    assert state(cluster) == before


def check_bytes(cluster, address):
    """What HTTP libraries do not send."""
    before = state(cluster)
    host, port = address.split(":")
    for body in (b'{"command": "\xff"}', b'{"command": "\xed\xa0\x80"}', b'{"command": "\0"}',
                 b'{"command": "a\x01"}', b"\0" * 100, b"[" * 1_000_000, b'{"a":' * 100_000, b""):
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            connection.sendall(b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                               b"Content-Length: %d\r\n\r\n" % len(body) + body)
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        assert answer.startswith(b"HTTP/1.1 400 "), (body[:50], answer[:300])
    for target in ("/v1/jobs/%", "/v1/jobs/%zz", "/v1/jobs/%00", "/v1/jobs/42%5B", "/v1/jobs/42_",
                   "/v1/jobs/there%5B0%5D", "/v1/jobs/" + "x" * 8000, "/v1/jobs?limit=1&limit=2",
                   "/v1/jobs?limit=%00", "/v1/jobs?stat=x", "/v1/version?x", "/v1/jobs/" + "x" * 9000):
        refusal(address, "GET", target)
    assert state(cluster) == before


def check_files(address):
    """The agent's routes: none leads anywhere else."""
    task = "/v1/tasks/f-1/1.1.1"
    for target in (f"{task}/files/stdout?offset=x", f"{task}/files/stdout?follow=2",
                   f"{task}/files/stdout?offset=9223372036854775808", f"{task}/files/..",
                   f"{task}/files/a%2Fb", f"{task}/files/%00", f"{task}/files?path=%00",
                   f"{task}/files?path=..", f"{task}/files?pat=x", f"{task}/file?path=../x",
                   f"{task}/file?path=" + "x/" * 3000, f"{task}/file?path=/etc/passwd",
                   f"{task}/file?path=a%00b", "/v1/tasks/f-x/1.1.1/files", "/v1/tasks?x=1",
                   "/v1/tasks/f-1/" + urllib.parse.quote("../..", safe="") + "/files",
                   "/v1/tasks/f-1/%00/files/stdout"):
        refusal(address, "GET", target)
    assert ask(address, "GET", "/v1/tasks")[0] == 200


with Cluster(agents=1) as cluster:
    cluster.submit({"command": "sleep 1000", "name": "there", "hold": True})
    status, answer = cluster.request("POST", "/v1/schedules", {
        "name": "nightly", "job": {"command": "true"}, **DAILY})
    assert status == 201, answer
    master = cluster.master.field("http")
    check_fields(cluster, master)
    check_services(cluster, master)
    check_bytes(cluster, master)
    check_files(cluster.agents[0].field("http"))
    assert ask(master, "GET", "/readyz")[0] == 200
