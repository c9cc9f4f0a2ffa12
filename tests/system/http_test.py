#!/usr/bin/python3
"""The HTTP interface of real daemons: every route against the OpenAPI file, streams, refusals."""

import http.client
import json
import os
import pathlib
import sys
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from _cluster import Cluster, wait_until  # noqa: E402

SOURCE = pathlib.Path(os.environ.get("RM_SOURCE_DIR", pathlib.Path(__file__).parents[2]))
OPENAPI = json.loads((SOURCE / "daemons/http/openapi.json").read_text())
TYPES = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "array": list,
         "object": dict, "null": type(None)}


# --- a checker for the few words of JSON Schema that the file uses ---

def resolved(part):
    while "$ref" in part:
        target = OPENAPI
        for word in part["$ref"].lstrip("#/").split("/"):
            target = target[word]
        part = target
    return part


def mismatch(value, schema, where="$"):
    """None, or what is wrong with the value and where."""
    schema = resolved(schema)
    for part in schema.get("allOf", []):
        wrong = mismatch(value, part, where)
        if wrong:
            return wrong
    if "oneOf" in schema:
        reasons = [mismatch(value, part, where) for part in schema["oneOf"]]
        return None if None in reasons else f"{where}: none of {reasons}"
    if "const" in schema and value != schema["const"]:
        return f"{where}: {value!r} is not {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        return f"{where}: {value!r} is not in {schema['enum']}"
    if "type" in schema:
        names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        fits = any(isinstance(value, TYPES[name]) and (name == "boolean") == isinstance(value, bool)
                   for name in names)
        if not fits:
            return f"{where}: {value!r} is not of type {names}"
    if isinstance(value, dict):
        return mismatch_in_object(value, schema, where)
    if isinstance(value, list):
        wrong = (mismatch(item, schema.get("items", {}), f"{where}[{n}]")
                 for n, item in enumerate(value))
        return next(filter(None, wrong), None)
    return None


def mismatch_in_object(value, schema, where):
    missing = set(schema.get("required", [])) - set(value)
    if missing:
        return f"{where}: lacks {sorted(missing)}"
    known, other = schema.get("properties", {}), schema.get("additionalProperties", {})
    for key, member in value.items():
        if key not in known and other is False:
            return f"{where}: has {key}, which is not described"
        wrong = mismatch(member, known.get(key, other), f"{where}.{key}")
        if wrong:
            return wrong
    return None


def check_answer(method, pattern, status, content_type, body):
    responses = OPENAPI["paths"][pattern][method.lower()]["responses"]
    assert str(status) in responses or status >= 400, (method, pattern, status, body)
    content = resolved(responses.get(str(status), responses["default"])).get("content", {})
    if status == 204:
        return
    media = content_type.split(";")[0]
    assert media in content, (method, pattern, status, content_type)
    if media.endswith("json"):
        wrong = mismatch(json.loads(body), content[media]["schema"])
        assert not wrong, f"{method} {pattern} -> {status}: {wrong}"


# --- requests ---

class Peer:
    """One daemon, asked for one thing at a time; every answer is checked against the file."""

    def __init__(self, address):
        self.host, port = address.split(":")
        self.port = int(port)
        self.seen = set()

    def open(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        connection.request(method, path, data, headers or {})
        return connection.getresponse()

    def ask(self, method, pattern, path=None, body=None, headers=None):
        """Returns (status, answer): parsed JSON, or text."""
        answer = self.open(method, path or pattern, body, headers)
        content = answer.read()
        if answer.status != 307:
            check_answer(method, pattern, answer.status, answer.headers["Content-Type"], content)
        self.seen.add((method, pattern))
        if "json" in answer.headers["Content-Type"]:
            return answer.status, json.loads(content)
        return answer.status, content.decode()

    def get(self, pattern, path=None):
        status, answer = self.ask("GET", pattern, path)
        assert status == 200, (path or pattern, status, answer)
        return answer


def events_of(answer):
    """Yields (name, data) from a stream of server-sent events until it ends."""
    name, data = "message", None
    for line in answer:
        line = line.decode().rstrip("\n")
        if line.startswith("event: "):
            name = line[7:]
        elif line.startswith("data: "):
            data = json.loads(line[6:])
        elif not line and data is not None:
            yield name, data
            name, data = "message", None


# --- what is tested ---

def test_submission_is_followed_to_its_end(master):
    body = {"name": "followed", "command": "echo out; echo err >&2; exit 7"}
    answer = master.open("POST", "/v1/jobs?follow=1", body)
    assert answer.status == 200 and answer.headers["Content-Type"] == "text/event-stream"
    events = list(events_of(answer))
    names = [name for name, _ in events]
    assert names[0] == "submitted" and names[-1] == "end", names
    assert set(names[1:-1]) == {"job"}, names
    assert events[-1][1] == {"exit_code": 7}, events[-1]
    schema = {"$ref": "#/components/schemas/Job"}
    for _, job in events[1:-1]:
        assert not mismatch(job, schema), mismatch(job, schema)
    assert events[-2][1]["state"] == "failed" and events[-2][1]["exit_code"] == 7
    return events[0][1]["jobs"][0]["id"]


def test_output_is_followed_while_it_is_written(master, cluster):
    gate = cluster.directory / "gate"
    [job] = cluster.submit({"name": "writer", "command":
                            f"echo first; until [ -e {gate} ]; do sleep 0.02; done; echo second"})
    wait_until(lambda: cluster.job(job)["attempts"], "the writer was launched")
    status, _ = master.ask("GET", "/v1/jobs/{job}/logs", f"/v1/jobs/{job}/logs?follow=1&offset=0")
    assert status == 307
    location = master.open("GET", f"/v1/jobs/{job}/logs?follow=1&offset=0").headers["Location"]
    url = urllib.parse.urlsplit(location)
    assert url.query == "offset=0&follow=1", location
    answer = Peer(url.netloc).open("GET", f"{url.path}?{url.query}")
    assert answer.readline() == b"first\n"
    assert answer.headers["X-RM-Task-State"] in ("staging", "starting", "running")
    gate.touch()
    assert answer.read() == b"second\n"
    assert Peer(url.netloc).open("GET", url.path + "?offset=-4").read() == b"ond\n"
    return url


def test_events_resume(master, cluster):
    answer = master.open("GET", "/v1/events")
    [job] = cluster.submit({"name": "watched", "command": "true"})
    last = None
    for line in answer:
        if line.startswith(b"id: "):
            last = line[4:].strip().decode()
        if line.startswith(b"data: "):
            seen = json.loads(line[6:])
            if (seen["id"], seen["state"]) == (job, "finished"):
                break
    answer.close()
    cluster.wait_terminal(cluster.submit({"name": "missed", "command": "true"}))
    resumed = master.open("GET", "/v1/events", headers={"Last-Event-ID": last})
    name, missed = next(events_of(resumed))
    assert name == "job" and missed["id"] > job, missed
    held = list(events_of(master.open("GET", "/v1/events?held=1")))
    assert {data["id"] for name, data in held if name == "job"} >= {job, missed["id"]}, held
    gap, _ = next(events_of(master.open("GET", "/v1/events", headers={"Last-Event-ID": "0-0"})))
    assert gap == "gap"


def test_every_route_of_the_master(master, cluster, job):
    master.get("/livez")
    assert master.get("/readyz").startswith("ok")
    master.get("/v1/version")
    assert master.get("/v1/state")["nodes"]["connected"] == 1
    node = master.get("/v1/nodes")["nodes"][0]["id"]
    assert master.get("/v1/nodes/{id}", f"/v1/nodes/{node}")["hostname"] == "node-1"
    visit_backup(master)
    visit_maintenance(master, node)
    visit_roles(master, node)
    assert [f["name"] for f in master.get("/v1/frameworks")["frameworks"]] == ["batch"]
    assert next(events_of(master.open("GET", f"/v1/events?job={job}")))[1]["id"] == job
    master.seen.add(("GET", "/v1/events"))
    page = master.get("/v1/jobs", "/v1/jobs?limit=1")
    assert page["next_cursor"] and len(page["jobs"]) == 1
    page = master.get("/v1/jobs", "/v1/jobs?attempts=1&owner=*&ended_after=2020-01-01T00:00:00Z")
    assert all(one["attempts"] for one in page["jobs"]) and page["jobs"], page
    assert master.get("/v1/jobs/{job}", f"/v1/jobs/{job}")["attempts"][0]["exit_code"] == 7
    assert master.get("/v1/jobs/{job}", "/v1/jobs/followed")["id"] == job
    assert master.get("/v1/jobs/{job}/why", f"/v1/jobs/{job}/why")["job"] == job
    status, answer = master.ask("POST", "/v1/jobs", body={"command": "sleep 60", "name": "long"})
    assert status == 201, answer
    status, answer = master.ask("POST", "/v1/jobs/{job}/cancel", "/v1/jobs/long/cancel",
                                {"reason": "not needed"})
    assert status == 202, answer
    [ended] = cluster.wait_terminal([answer["id"]])
    assert ended["state"] == "cancelled" and "not needed" in ended["reason"], ended
    status, answer = master.ask("POST", "/v1/jobs", "/v1/jobs?dry_run=1", {"command": "true"})
    assert status == 200 and answer["dry_run"], answer
    check_job_control(master)
    check_arrays(master, cluster)
    check_schedules(master)
    for root in ("/scheduler", "/v1/scheduler"):
        check_chronos(master, root)
    check_all_seen(master, "master")


def visit_backup(master):
    answer = master.open("GET", "/v1/backup")
    content = answer.read()
    check_answer("GET", "/v1/backup", answer.status, answer.headers["Content-Type"], content)
    master.seen.add(("GET", "/v1/backup"))
    assert content.startswith(b"SQLite format 3\0"), content[:20]
    assert int(answer.headers["Librm-Bytes"]) == len(content) and int(answer.headers["Librm-Lsn"]) > 0


def check_job_control(master):
    status, answer = master.ask("POST", "/v1/jobs", body={"command": "sleep 60", "name": "kept",
                                                          "hold": True})
    assert status == 201, answer
    for verb, wanted in [("hold", 202), ("retry", 409), ("requeue", 409), ("release", 202),
                         ("cancel", 202)]:
        status, answer = master.ask("POST", f"/v1/jobs/{{job}}/{verb}", f"/v1/jobs/kept/{verb}")
        assert status == wanted, (verb, status, answer)
    assert master.get("/v1/graph", "/v1/graph?job=kept")["nodes"][0]["name"] == "kept"
    assert master.get("/v1/graph")["edges"] == []


def check_arrays(master, cluster):
    status, answer = master.ask("POST", "/v1/jobs", body={
        "name": "some", "command": "test $RM_ARRAY_INDEX != 3; exit $?", "array": "1-5:2%2"})
    assert status == 201, answer
    job = answer["jobs"][0]["id"]
    [ended] = cluster.wait_terminal([job])
    assert ended["state"] == "failed" and ended["reason"] == "1 of 3 elements failed: 3", ended
    assert ended["array"]["counts"]["finished"] == 2 and ended["array"]["parallel_max"] == 2
    route = "/v1/jobs/{job}/elements"
    page = master.get(route, f"/v1/jobs/{job}/elements?limit=2")
    assert [element["index"] for element in page["elements"]] == [1, 3], page
    page = master.get(route, f"/v1/jobs/{job}/elements?cursor={page['next_cursor']}")
    assert [element["index"] for element in page["elements"]] == [5] and not page["next_cursor"]
    [element] = master.get(route, f"/v1/jobs/{job}/elements?state=failed")["elements"]
    assert element["task"] == f"{job}_3.1.1" and element["exit_code"] == 1, element
    element = master.get("/v1/jobs/{job}", f"/v1/jobs/{job}_3")
    assert element["index"] == 3 and element["attempts"][0]["exit_code"] == 1, element
    assert master.get("/v1/jobs/{job}/why", f"/v1/jobs/some%5B3%5D/why")["index"] == 3
    for selector, wanted in [(f"{job}_2", 404), (f"{job}%5B1,3%5D", 400), (f"{job}%5B", 400),
                             (f"{job}%5B2-3%5D", 404)]:
        status, answer = master.ask("GET", "/v1/jobs/{job}", f"/v1/jobs/{selector}")
        assert status == wanted, (selector, status, answer)
    retry = "/v1/jobs/{job}/retry"
    status, answer = master.ask("POST", retry, f"/v1/jobs/{job}_1/retry")
    assert status == 409 and "element 1 is finished" in answer["detail"], answer
    status, answer = master.ask("POST", retry, f"/v1/jobs/{job}%5B3%5D/retry")
    assert status == 202 and answer["index"] == 3 and answer["run"] == 2, answer
    [ended] = cluster.wait_terminal([job])
    assert ended["state"] == "failed", ended


def check_schedules(master):
    wanted = {"name": "hourly", "schedule": "R/2030-01-01T00:00:00Z/PT1H",
              "job": {"command": "true"}}
    one = "/v1/schedules/{schedule}"
    status, answer = master.ask("POST", "/v1/schedules", body=wanted)
    assert status == 201 and answer["next"] == "2030-01-01T00:00:00.000Z", answer
    status, answer = master.ask("PUT", one, "/v1/schedules/hourly", {**wanted, "overlap": "allow"})
    assert status == 201 and answer["overlap"] == "allow", answer
    assert len(master.get("/v1/schedules")["schedules"]) == 1
    assert master.get(one, "/v1/schedules/hourly")["name"] == "hourly"
    times = master.get(one + "/next", "/v1/schedules/hourly/next?n=2")["next"]
    assert times == ["2030-01-01T00:00:00.000Z", "2030-01-01T01:00:00.000Z"], times
    for verb, wanted_status in [("pause", 200), ("resume", 200), ("succeed", 200),
                                ("trigger", 202)]:
        status, answer = master.ask("POST", f"{one}/{verb}", f"/v1/schedules/hourly/{verb}")
        assert status == wanted_status, (verb, status, answer)
    status, answer = master.ask("DELETE", one, "/v1/schedules/hourly")
    assert status == 200 and len(answer["runs"]) == 2, answer
    news = [data for name, data in events_of(master.open("GET", "/v1/events?held=1"))
            if name == "schedule"]
    for data in news:
        wrong = mismatch(data, {"$ref": "#/components/schemas/ScheduleNews"})
        assert not wrong, wrong
    changes = [data["change"] for data in news]
    assert changes[:4] == ["added", "changed", "paused", "resumed"], changes
    assert changes[-1] == "removed" and changes.count("run_started") == 2, changes
    assert master.ask("GET", one, "/v1/schedules/hourly")[0] == 404


def check_chronos(master, root):
    # Runs outlive their schedules, so each root has names of its own.
    old, young = "old" + root.replace("/", "-"), "young" + root.replace("/", "-")
    job = {"name": old, "command": "true", "schedule": "R/2030-01-01T00:00:00Z/PT1H"}
    child = {"name": young, "command": "true", "parents": [old]}
    name = root + "/job/{name}"

    def done(method, route, path=None, body=None):
        status, answer = master.ask(method, route, path, body)
        assert status == 204, (method, path or route, status, answer)

    for method in ("POST", "PUT"):
        done(method, root + "/iso8601", body=job)
        done(method, root + "/dependency", body=child)
    for path in ("/jobs", "/jobs/search", "/jobs/summary", "/graph/dot", "/graph/csv", "/leader"):
        master.get(root + path)
    master.get(name, f"{root}/job/{old}")
    master.get(root + "/job/stat/{name}", f"{root}/job/stat/{old}")
    master.get(root + "/stats/{statistic}", root + "/stats/mean")
    assert master.ask("GET", root + "/stats/{statistic}", root + "/stats/mode")[0] == 404
    done("PUT", root + "/job/success/{name}", f"{root}/job/success/{old}")
    done("PUT", name, f"{root}/job/{old}")
    done("DELETE", root + "/task/kill/{name}", f"{root}/task/kill/{old}")
    for gone in (old, young):
        done("DELETE", name, f"{root}/job/{gone}")


def visit_roles(master, node):
    """Quotas, weights and reservations, each set and taken away."""
    role, here = "/v1/roles/{role}", "/v1/roles/eng%2Fdb"
    def act(verb, body, wanted=200):
        status, answer = master.ask("POST", "/v1/nodes/{id}/" + verb, f"/v1/nodes/{node}/{verb}",
                                    body)
        assert status == wanted, (verb, status, answer)
        return answer
    quota = {"guarantees": {}, "limits": {"cpus": 0.5, "gpus": 0}}
    status, answer = master.ask("PUT", role + "/quota", here + "/quota?force=1", quota)
    assert status == 200 and answer["quota"] == quota, (status, answer)
    status, answer = master.ask("PUT", role + "/weight", here + "/weight", {"weight": 2.5})
    assert status == 200 and answer["weight"] == 2.5, (status, answer)
    assert "eng/db" in [one["role"] for one in master.get("/v1/roles")["roles"]]
    assert master.get(role, here)["why"]
    assert master.ask("DELETE", role + "/weight", here + "/weight")[1]["weight"] == 1
    assert master.ask("DELETE", role + "/quota", here + "/quota")[0] == 200
    assert act("reserve", {"resources": "mem:1", "role": "eng"})["reserved"] == "mem(+eng):1"
    assert act("reserve", {"resources": "mem:1e9", "role": "eng"}, 400)["errors"]
    act("unreserve", {"resources": "mem(+eng):1", "role": "eng"})
    act("create-volume", {"resources": "nodisk(+eng):1", "volume": "v"}, 400)
    act("destroy-volume", {"resources": "disk(+eng)[v]:1", "volume": "v"}, 422)


def visit_maintenance(master, node):
    """Out of service and back, in every way that is undone by another request."""
    def act(verb, body=None, query="", wanted=200):
        pattern = "/v1/nodes/{id}/" + verb
        status, answer = master.ask("POST", pattern, f"/v1/nodes/{node}/{verb}{query}", body)
        assert status == wanted, (verb, status, answer)
        return answer
    assert act("cordon", {"reason": "new disk"})["service"] == "cordoned"
    assert act("cordon", {"rsn": ""}, wanted=400)["errors"][0]["path"] == "/rsn"
    assert act("uncordon")["service"] == "normal"
    plan = act("drain", {"mode": "requeue"}, "?dry_run=1")
    assert plan["kills"] == [] and plan["expected_end"], plan
    assert act("drain", {"mode": "requeue", "deadline": 5}, wanted=400)["errors"]
    act("drain", {"mode": "wait", "grace": 1, "deadline": "2h"})
    act("undrain")
    assert "drained" in act("down", wanted=409)["detail"]
    assert act("up")["service"] == "normal"
    window = {"name": "kernel", "start": "2100-01-01T00:00:00Z", "duration": "PT4H",
              "nodes": [node, "node-7"], "reason": ""}
    status, answer = master.ask("PUT", "/v1/maintenance", body={"windows": [window]})
    assert status == 200 and answer["windows"][0]["duration"] == 14400, (status, answer)
    assert master.get("/v1/nodes/{id}", f"/v1/nodes/{node}")["window"]["name"] == "kernel"
    status, stale = master.ask("PUT", "/v1/maintenance", body={"revision": 0, "windows": []})
    assert status == 409, (status, stale)
    status, answer = master.ask("PUT", "/v1/maintenance",
                                body={"revision": answer["revision"], "windows": []})
    assert status == 200 and master.get("/v1/maintenance")["windows"] == [], (status, answer)


def test_every_route_of_the_agent(agent, cluster, url):
    agent.get("/livez")
    assert agent.get("/readyz") == "ok\n"
    agent.get("/v1/version")
    [job] = cluster.submit({"name": "sleeper", "command": "sleep 60"})
    task = f"{job}.1.1"
    wait_until(lambda: task in [t["task"] for t in agent.get("/v1/tasks")["tasks"]], "it is listed")
    cluster.request("POST", f"/v1/jobs/{job}/cancel")
    pattern = "/v1/tasks/{framework}/{task}/files/{file}"
    agent.get(pattern, url.path)
    base = url.path.rsplit("/files/", 1)[0]
    for path, wanted in [(base + "/files/other", 404), (base + "/files/..%2f..%2fx", 400),
                         (base.rsplit("/", 1)[0] + "/%2e%2e/files/stdout", 400),
                         (base.rsplit("/", 1)[0] + "/99.1.1/files/stdout", 404),
                         ("/v1/tasks/../x/files/stdout", 400),
                         (url.path + "?offset=x", 400), (url.path + "?offzet=1", 400)]:
        status, answer = agent.ask("GET", pattern, path)
        assert status == wanted, (path, status, answer)
    listing = "/v1/tasks/{framework}/{task}/files"
    names = [entry["name"] for entry in agent.get(listing, base + "/files?path=.")["entries"]]
    assert "stdout" in names, names
    by_path = "/v1/tasks/{framework}/{task}/file"
    assert agent.get(by_path, base + "/file?path=stdout") == agent.get(pattern, url.path)
    for path in ("../x", "/etc/passwd", "a/../../../x"):
        for route in (listing, by_path):
            name = route.rsplit("/", 1)[1]
            status, answer = agent.ask("GET", route, f"{base}/{name}?path={path}")
            assert status in (400, 403, 404), (route, path, status, answer)
    check_all_seen(agent, "agent")


def check_all_seen(peer, daemon):
    described = {(method.upper(), path) for path, methods in OPENAPI["paths"].items()
                 for method, operation in methods.items() if daemon in operation["x-daemons"]}
    assert described == peer.seen, (described - peer.seen, peer.seen - described)


def test_wrong_submissions(master, cluster):
    """Each is refused with what to change, and nothing is stored."""
    wait_until(lambda: sum(cluster.get("/v1/state")["jobs"].get(state, 0)
                           for state in ("pending", "running")) == 0, "earlier jobs are over")
    before = cluster.get("/v1/state")["jobs"]
    for body, wanted, words in [
            (b"", 400, ""), (b"{", 400, ""), (b"[" * 200_000, 400, ""), (b"\xff\xfe", 400, ""),
            ({"comand": "x"}, 400, "command"), ({"command": "x", "cpuz": 1}, 400, "cpus"),
            ({"command": "x", "cpus": "many"}, 400, "cpus"),
            ({"command": "x", "cpus": -1}, 400, "cpus"),
            ({"command": "x", "cpus": 1e30}, 400, "cpus"), ({"command": 5}, 400, "command"),
            ({"command": "x", "cpus": 1000}, 422, "largest agent"),
            ({"command": "x", "after_ok": ["nobody"]}, None, "nobody"),
            ({"jobs": [{"name": "a", "command": "x", "after_ok": ["b"]},
                       {"name": "b", "command": "x", "after_ok": ["a"]}]}, None, "cycle"),
            ({"jobs": [{"name": "ok-1", "command": "x"}, {"command": ""}]}, 400, "command"),
            ({"jobs": [{"name": "same", "command": "x"}, {"name": "same", "command": "y"}]}, None,
             "same")]:
        status, answer = master.ask("POST", "/v1/jobs", body=body)
        assert 400 <= status < 500 and status == (wanted or status), (body, status, answer)
        said = json.dumps(answer)
        assert words in said, (body, answer)
        assert answer["status"] == status and answer["detail"], answer
    assert cluster.get("/v1/state")["jobs"] == before


def test_wrong_requests(master):
    for method, path, wanted in [
            ("GET", "/", 404), ("GET", "/v1/jbos", 404), ("DELETE", "/v1/jobs", 405),
            ("PUT", "/v1/jobs/1", 405), ("GET", "/v1/jobs/999999", 404),
            ("GET", "/v1/jobs/%", 400), ("GET", "/v1/jobs/%zz", 400), ("GET", "/v1/jobs/%00", 404),
            ("GET", "/v1/jobs?limit=0", 400), ("GET", "/v1/jobs?state=sleeping", 400),
            ("GET", "/v1/jobs?nmae=x", 400), ("GET", "/v1/events?job=nobody", 404),
            ("GET", "/v1/nodes/a-999", 404), ("GET", "/v1/jobs/last/logs?stream=passwd", 400),
            ("GET", "/" + "a" * 9000, 414)]:
        answer = master.open(method, path)
        body = json.loads(answer.read())
        assert answer.status == wanted, (method, path[:80], answer.status, body)
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert not mismatch(body, {"$ref": "#/components/schemas/Problem"}), body
    assert master.open("GET", "/livez", headers={"Host": "evil.example"}).status == 403
    assert master.open("POST", "/v1/jobs", {"command": "x"},
                       {"Origin": "http://evil.example"}).status == 403


def test_many_jobs_in_one_request(master):
    lines = "".join(json.dumps({"name": f"n-{n}", "command": "true"}) + "\n" for n in range(500))
    headers = {"Content-Type": "application/x-ndjson", "Idempotency-Key": "bulk-1"}
    status, first = master.ask("POST", "/v1/jobs", body=lines.encode(), headers=headers)
    assert status == 201 and len(first["jobs"]) == 500, first
    status, again = master.ask("POST", "/v1/jobs", body=lines.encode(), headers=headers)
    assert status == 201 and again == first
    cursor, names = None, []
    while True:
        query = "?name=n-*&limit=150" + (f"&cursor={cursor}" if cursor else "")
        page = master.get("/v1/jobs", "/v1/jobs" + query)
        names += [job["name"] for job in page["jobs"]]
        cursor = page["next_cursor"]
        if not cursor:
            break
    assert names == [f"n-{n}" for n in reversed(range(500))], names[:5]


def main():
    with Cluster(agents=1) as cluster:
        master = Peer(cluster.master.field("http"))
        agent = Peer(cluster.agents[0].field("http"))
        job = test_submission_is_followed_to_its_end(master)
        url = test_output_is_followed_while_it_is_written(master, cluster)
        test_events_resume(master, cluster)
        test_every_route_of_the_master(master, cluster, job)
        test_every_route_of_the_agent(agent, cluster, url)
        test_wrong_submissions(master, cluster)
        test_wrong_requests(master)
        test_many_jobs_in_one_request(master)


if __name__ == "__main__":
    main()
