"""The client: one class for the cluster, one for a job; every call is one HTTP request."""

import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

TERMINAL = ("finished", "failed", "cancelled")


class LibrmError(Exception):
    """A refusal by the master, or nobody there; `code` is the library's error code."""

    def __init__(self, code, detail, errors=()):
        super().__init__("\n".join([detail, *(f"  {e['path']}: {e['detail']}" for e in errors)]))
        self.code = code
        self.errors = list(errors)


class Cluster:
    """One master. Holds no connection and no state, so it can be shared and pickled."""

    def __init__(self, url):
        self.url = url.rstrip("/")

    def __repr__(self):
        return f"Cluster({self.url!r})"

    def submit(self, command, **fields):
        """Submits one job and returns it. A list is a program with its arguments, text is for
        the shell. Safe against lost answers: the request carries an idempotency key."""
        key = "command" if isinstance(command, str) else "argv"
        return self.submit_all([{key: command, **fields}])[0]

    def submit_all(self, jobs):
        """Submits many jobs, all or none; they may name each other as dependencies."""
        jobs = [_resolved(job) for job in jobs]
        answer = self._call("POST", "/v1/jobs", {"jobs": jobs}, idempotent=True)
        return [Job(self, job["id"]) for job in answer["jobs"]]

    def map(self, command, values, **fields):
        """One job for each value; `{}` in the command is replaced by it."""
        def with_value(value):
            if isinstance(command, str):
                return {"command": command.replace("{}", str(value)), **fields}
            return {"argv": [word.replace("{}", str(value)) for word in command], **fields}
        return self.submit_all([with_value(value) for value in values])

    def jobs(self, state=None):
        """All jobs that the master holds, newest first, as dictionaries."""
        found, cursor = [], None
        while True:
            query = {"limit": 1000, **({"state": state} if state else {}),
                     **({"cursor": cursor} if cursor else {})}
            page = self._call("GET", "/v1/jobs?" + urllib.parse.urlencode(query))
            found += page["jobs"]
            cursor = page.get("next_cursor")
            if not cursor:
                return found

    def job(self, selector):
        """A job by id, by name, or `last`."""
        return Job(self, self._call("GET", f"/v1/jobs/{_quoted(selector)}")["id"])

    def nodes(self):
        """The agents, as dictionaries."""
        return self._call("GET", "/v1/nodes")["nodes"]

    def state(self):
        """Counts and sums over the cluster."""
        return self._call("GET", "/v1/state")

    def wait(self, jobs, timeout=None):
        """Waits until all have ended; TimeoutError names those that have not."""
        end = None if timeout is None else time.monotonic() + timeout
        for job in jobs:
            job.wait(None if end is None else max(0.0, end - time.monotonic()))
        return list(jobs)

    def _call(self, method, path, body=None, idempotent=False):
        headers = {"Content-Type": "application/json"}
        if idempotent:
            headers["Idempotency-Key"] = uuid.uuid4().hex
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        for attempt in range(3):
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    return json.loads(answer.read())
            except urllib.error.HTTPError as error:
                raise _refusal(error) from None
            except OSError as error:
                # Reading and keyed requests can be repeated; an answer may have been lost.
                if attempt == 2 or not (idempotent or method == "GET"):
                    raise LibrmError(
                        "unavailable",
                        f"no master at {self.url}: start one with 'rmctl dev', or set RM_MASTER "
                        f"({error})") from None
                time.sleep(0.2)
        raise AssertionError("unreachable")


class Job:
    """A job that was submitted; its attributes are asked for when they are needed."""

    def __init__(self, cluster, job_id):
        self.cluster = cluster
        self.id = job_id

    def __repr__(self):
        return f"<Job {self.id} of {self.cluster.url}>"

    @property
    def info(self):
        """Everything known about it, as a dictionary."""
        return self.cluster._call("GET", f"/v1/jobs/{self.id}")

    @property
    def state(self):
        return self.info["state"]

    def why(self):
        """Why it is in its state, in one line."""
        return self.cluster._call("GET", f"/v1/jobs/{self.id}/why")["summary"]

    def wait(self, timeout=None):
        """Waits until it has ended and returns it."""
        end = None if timeout is None else time.monotonic() + timeout
        pause = 0.005
        while self.state not in TERMINAL:
            if end is not None and time.monotonic() >= end:
                raise TimeoutError(f"job {self.id}: {self.why()}")
            time.sleep(pause)
            pause = min(pause * 1.5, 0.5)
        return self

    def logs(self, stream="stdout"):
        """What its last attempt has written so far."""
        url = f"{self.cluster.url}/v1/jobs/{self.id}/logs?stream={_quoted(stream)}"
        try:
            with urllib.request.urlopen(url, timeout=60) as answer:
                return answer.read().decode(errors="replace")
        except urllib.error.HTTPError as error:
            raise _refusal(error) from None

    def cancel(self, reason=""):
        self.cluster._call("POST", f"/v1/jobs/{self.id}/cancel", {"reason": reason})
        return self


def connect(url=None):
    """The cluster at `url`, else at RM_MASTER, else at the default port of this machine."""
    url = url or os.environ.get("RM_MASTER") or "http://127.0.0.1:5050"
    return Cluster(url if "://" in url else "http://" + url)


def _quoted(value):
    return urllib.parse.quote(str(value), safe="")


def _resolved(job):
    """Jobs given as dependencies are named by their ids."""
    job = dict(job)
    for key in ("after_ok", "after_any", "after_notok", "after_start"):
        if key in job:
            parents = job[key] if isinstance(job[key], (list, tuple)) else [job[key]]
            job[key] = [str(p.id) if isinstance(p, Job) else str(p) for p in parents]
    return job


def _refusal(error):
    try:
        problem = json.loads(error.read())
        return LibrmError(problem["code"], problem["detail"], problem.get("errors", ()))
    except (ValueError, KeyError):
        return LibrmError("io_error", f"HTTP {error.code}")
