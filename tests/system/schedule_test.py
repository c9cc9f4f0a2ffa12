#!/usr/bin/python3
"""Schedules run by time and after each other, over both interfaces, and all of it survives a master
that is killed."""

import datetime
import json
import sys
import urllib.error
import urllib.request

from _cluster import Cluster, wait_until


def call(cluster, method, path, body=None):
    """(status, text) of a request that may have no JSON in its answer."""
    data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
    request = urllib.request.Request(cluster.url(path), data=data, method=method,
                                     headers={"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def schedule(cluster, name):
    status, text = call(cluster, "GET", f"/v1/schedules/{name}")
    assert status == 200, text
    return json.loads(text)


def runs_over(cluster, name, count):
    runs = schedule(cluster, name)["runs"]
    return len(runs) >= count and all(run["ended"] for run in runs[:count])


def check_time_and_parents(cluster):
    # Not at once, so that those who wait for it are there first.
    start = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=2)
    status, text = call(cluster, "POST", "/v1/schedules", {
        "name": "tick", "schedule": f"R3/{start:%Y-%m-%dT%H:%M:%SZ}/PT1S",
        "job": {"command": "echo $RM_SCHEDULE $RM_SCHEDULE_RUN $RM_SCHEDULE_TIME"}})
    assert status == 201, text
    for name, field in (("then", "after_ok"), ("never", "after_notok")):
        status, text = call(cluster, "POST", "/v1/schedules",
                            {"name": name, field: ["tick"], "job": {"argv": ["echo", name]}})
        assert status == 201, text
    wait_until(lambda: runs_over(cluster, "tick", 3), "three runs of tick")
    wait_until(lambda: runs_over(cluster, "then", 3), "three runs of then")
    tick = schedule(cluster, "tick")
    assert [run["occurrence"] for run in tick["runs"]] == [0, 1, 2], tick
    assert tick["counts"]["successes"] == 3 and tick["next"] is None and not tick["missed"], tick
    assert not schedule(cluster, "never")["runs"]
    bound = [run["parents"] for run in schedule(cluster, "then")["runs"]]
    assert bound == [[{"schedule": "tick", "run": n}] for n in (1, 2, 3)], bound
    output = call(cluster, "GET", f"/v1/jobs/{tick['runs'][1]['jobs'][0]}/logs")[1]
    nominal = tick["runs"][1]["nominal"]
    assert output == f"tick 2 {nominal}\n", output


def check_crash(cluster):
    status, text = call(cluster, "POST", "/v1/schedules", {
        "name": "held-up", "schedule": "R//PT1S", "catch_up": "all", "job": {"command": "true"}})
    assert status == 201, text
    wait_until(lambda: runs_over(cluster, "held-up", 1), "a run")
    cluster.master.kill()
    cluster.master.start()
    wait_until(lambda: runs_over(cluster, "held-up", 6), "runs after the crash")
    call(cluster, "POST", "/v1/schedules/held-up/pause")
    indexes = [run["occurrence"] for run in schedule(cluster, "held-up")["runs"]]
    assert indexes == list(range(indexes[0], indexes[0] + len(indexes))), indexes


def check_refusals(cluster):
    def refused(body, *words):
        before = call(cluster, "GET", "/v1/schedules")[1]
        status, text = call(cluster, "POST", "/v1/schedules", body)
        assert status == 400, (status, text)
        for word in words:
            assert word in text, (word, text)
        assert call(cluster, "GET", "/v1/schedules")[1] == before
    job = {"command": "true"}
    refused({"name": "x", "schedule": "R3/2020-01-01/P1W2D", "job": job}, "/schedule", "at 18")
    refused({"name": "x", "schedule": "R/2020-01-01/P1D", "schedule_timezone": "PST", "job": job},
            "PST")
    refused({"name": "x", "schedul": "R/2030-01-01/P1D", "job": job}, "did you mean 'schedule'")
    refused({"name": "x", "schedule": 7, "job": {"command": 7}}, "/schedule", "/job/command")
    refused({"schedule": "R/2030-01-01/P1D", "jobs": []}, "/name")
    refused(b"\xff{", "UTF-8")
    refused(b"[" * 100_000, "64")


def check_chronos(cluster):
    job = {"name": "etl", "command": "echo $CHRONOS_JOB_NAME $fruit; exit 0", "schedule": "R1//PT1H",
           "environmentVariables": [{"name": "fruit", "value": "pear"}], "successCount": 99,
           "retries": 0, "owner": "a@example.com"}
    for root in ("/scheduler", "/v1/scheduler"):
        job["name"] += "x"
        assert call(cluster, "POST", root + "/iso8601", job)[0] == 204
        wait_until(lambda: runs_over(cluster, job["name"], 1), "a run of a Chronos job")
        shown = json.loads(call(cluster, "GET", f"{root}/job/{job['name']}")[1])
        assert shown["successCount"] == 1 and shown["owner"] == "a@example.com", shown
        dependent = {"name": job["name"] + "-child", "command": "true", "parents": [job["name"]]}
        assert call(cluster, "POST", root + "/dependency", dependent)[0] == 204
        assert call(cluster, "PUT", f"{root}/job/{job['name']}?arguments=%20and%20more")[0] == 204
        wait_until(lambda: runs_over(cluster, dependent["name"], 1), "the child's run")
        summary = json.loads(call(cluster, "GET", root + "/jobs/summary")[1])["jobs"]
        states = {one["name"]: (one["status"], one["state"]) for one in summary}
        assert states[job["name"]] == ("success", "idle"), states
        found = json.loads(call(cluster, "GET", f"{root}/jobs/search?name={job['name']}-")[1])
        assert [one["name"] for one in found] == [dependent["name"]], found
        assert f"link,{job['name']},{dependent['name']}" in call(cluster, "GET", root + "/graph/csv")[1]
        assert call(cluster, "PUT", f"{root}/job/success/{job['name']}")[0] == 204
        wait_until(lambda: runs_over(cluster, dependent["name"], 2), "the child's second run")
        assert json.loads(call(cluster, "GET", f"{root}/job/stat/{job['name']}")[1])["histogram"]
        assert json.loads(call(cluster, "GET", root + "/stats/median")[1])
        assert call(cluster, "DELETE", f"{root}/task/kill/{job['name']}")[0] == 204
        assert call(cluster, "DELETE", f"{root}/job/{job['name']}")[0] == 204
        child = json.loads(call(cluster, "GET", f"{root}/job/{dependent['name']}")[1])
        assert child["schedule"].startswith("R1/"), child
        assert json.loads(call(cluster, "GET", root + "/leader")[1])["leader"]
    both = {**job, "name": "both", "uris": [], "fetch": []}
    status, text = call(cluster, "POST", "/scheduler/iso8601", both)
    assert status == 400 and "either uris or fetch" in text, text
    status, text = call(cluster, "POST", "/scheduler/iso8601", {**job, "constraints": [["a", "IS", "b"]]})
    assert status == 400 and "EQUALS, LIKE and UNLIKE" in text, text


def main():
    with Cluster(agents=1) as cluster:
        check_time_and_parents(cluster)
        check_refusals(cluster)
        check_chronos(cluster)
        check_crash(cluster)
    return 0


if __name__ == "__main__":
    sys.exit(main())
