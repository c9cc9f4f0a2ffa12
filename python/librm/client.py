"""The client: one class for the cluster, one for a job; every call is one HTTP request."""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.parse
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any

from .errors import LibrmError
from .job_file import read_job_file
from .masters import send
from .tables import Table, Why

__all__ = ["Cluster", "Job", "Jobs", "LibrmError", "connect"]

TERMINAL = ("finished", "failed", "cancelled")
PARENTS = ("after_ok", "after_any", "after_notok", "after_start", "after_corr")
JOB_COLUMNS = ("id", "name", "state", "reason", "node.hostname", "request", "submitted", "started",
               "ended")
ELEMENT_COLUMNS = ("index", "state", "reason", "node.hostname", "started", "ended", "exit_code")
NODE_COLUMNS = ("id", "hostname", "status", "total", "free", "tasks")
ATTEMPT_COLUMNS = ("task", "name", "node", "state", "cpus", "launched", "started", "ended",
                   "cpu_seconds")


class Cluster:
    """One master. Holds no connection and no state, so it can be shared between threads, pickled,
    and used as a context manager or not.

    Every method raises LibrmError where the master refuses or does not answer; `code` is then
    `unavailable`.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def __repr__(self) -> str:
        return f"Cluster({self.url!r})"

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None,
                 trace: TracebackType | None) -> None:
        """Jobs go on: the cluster is not ours."""

    def _repr_html_(self) -> str:
        return f"<p>cluster at <code>{self.url}</code></p>{self.nodes()._repr_html_()}"

    # --- submitting ---

    def submit(self, command: str | Sequence[str], **fields: Any) -> Job:
        """Submits one job and returns it. A list is a program with its arguments, text is for
        the shell. Safe against lost answers: the request carries an idempotency key.

        `fields` are those of a job: `cpus` (number), `mem` and `disk` (MiB, or "2G"), `time`
        (seconds, or "90s", "2h"), `env` (dict), `workdir`, `retries`, `after_ok` (jobs, ids or
        names), and all others of daemons/http/README.md. Where `workdir` is not given the job runs
        in a sandbox of its own. Raises LibrmError, `invalid_argument` with the fields to blame.
        """
        return self.submit_all([_job_of(command, fields)])[0]

    def submit_file(self, path: str | os.PathLike[str], *, env: Mapping[str, str] | None = None,
                    **fields: Any) -> Jobs:
        """Submits all jobs of a job file (.toml, .json), or none. `fields` replace those of every
        job, `env` is added to theirs."""
        jobs = [{**job, **fields} for job in read_job_file(path)]
        for job in jobs:
            if env:
                job["env"] = {**job.get("env", {}), **env}
        return self.submit_all(jobs)

    def submit_all(self, jobs: Iterable[Mapping[str, Any]]) -> Jobs:
        """Submits many jobs, all or none; they may name each other as dependencies."""
        wanted = [_resolved(job) for job in jobs]
        if not wanted:
            return Jobs()
        answer = self._call("POST", "/v1/jobs", {"jobs": wanted}, idempotent=True)
        return Jobs(Job(self, job["id"]) for job in answer["jobs"])

    def map(self, command: str | Sequence[str], items: Iterable[Any], **fields: Any) -> Jobs:
        """One job for each item, all or none. `{}` in the command, and in `name`, is replaced by
        the item; where an item is a dictionary, `{key}` by its values.

        Text is for the shell and gets the item as it is: give a list where items may hold spaces
        or other characters that mean something there.
        """
        return self.submit_all(_filled(command, item, fields) for item in items)

    # --- asking ---

    def jobs(self, state: str | None = None) -> Table:
        """All jobs that the master holds, newest first, one a row. `state` is one or several, such
        as "pending,running"."""
        found: list[dict[str, Any]] = []
        cursor = None
        while True:
            query = {"limit": 1000, **({"state": state} if state else {}),
                     **({"cursor": cursor} if cursor else {})}
            page = self._call("GET", "/v1/jobs?" + urllib.parse.urlencode(query))
            found += page["jobs"]
            cursor = page.get("next_cursor")
            if not cursor:
                return Table(found, JOB_COLUMNS)

    def job(self, selector: int | str) -> Job:
        """A job by id, by name, or `last`, `last-2`; an element of an array as `42_7` or
        `train[7]`."""
        info = self._call("GET", f"/v1/jobs/{_quoted(selector)}")
        index = info.get("index")
        return Job(self, info["id"] if index is None else f"{info['id']}_{index}")

    def attempts(self, jobs: Iterable[Job]) -> Table:
        """What ran of these jobs, and of the elements of arrays: one row an attempt, as the master
        knows it now. `cpus` and `mem` (MiB) are what it was given, `cpu_seconds` and
        `rss_max_bytes` what it used, once it has ended; times are RFC 3339 texts, datetimes in
        `to_dicts()`."""
        return Table((row for job in jobs for row in _attempts_of(job)), ATTEMPT_COLUMNS)

    def nodes(self) -> Table:
        """The agents, one a row."""
        return Table(self._call("GET", "/v1/nodes")["nodes"], NODE_COLUMNS)

    def state(self) -> dict[str, Any]:
        """Counts and sums over the cluster."""
        return self._call("GET", "/v1/state")

    def why(self, selector: int | str) -> Why:
        """Why a job is in its state."""
        return self.job(selector).why()

    def logs(self, selector: int | str, stream: str = "stdout") -> str:
        """What a job's last attempt has written so far."""
        return self.job(selector).logs(stream)

    def wait(self, jobs: Iterable[Job], timeout: float | None = None) -> Jobs:
        """Waits until all have ended, however, at most `timeout` seconds; TimeoutError names one
        that has not, and why."""
        waited = Jobs(jobs)
        end = None if timeout is None else time.monotonic() + timeout
        for job in waited:
            job.wait(None if end is None else max(0.0, end - time.monotonic()))
        return waited

    def _call(self, method: str, path: str, body: Any = None, idempotent: bool = False) -> Any:
        headers = {"Content-Type": "application/json"}
        if idempotent:
            headers["Idempotency-Key"] = uuid.uuid4().hex
        data = None if body is None else json.dumps(body).encode()
        try:
            # An answer may have been lost: what reads, or has a key, can be repeated.
            with send(self.url, method, path, data, headers,
                      idempotent or method == "GET") as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            raise _refusal(error) from None
        except OSError as error:
            raise LibrmError(
                "unavailable",
                f"no master at {self.url}: start one with 'rmctl dev', or set RM_MASTER "
                f"({error})") from None


class Job:
    """A job that was submitted, or an element of an array, whose id is a text such as "42_7"; its
    attributes are asked for when they are needed."""

    def __init__(self, cluster: Cluster, job_id: int | str) -> None:
        self.cluster = cluster
        self.id = job_id

    def __repr__(self) -> str:
        return f"<Job {self.id} of {self.cluster.url}>"

    def _repr_html_(self) -> str:
        return Table([self.info], JOB_COLUMNS)._repr_html_()

    @property
    def info(self) -> dict[str, Any]:
        """Everything known about it, as a dictionary."""
        return self.cluster._call("GET", f"/v1/jobs/{self.id}")

    @property
    def name(self) -> str:
        return self.info["name"]

    @property
    def state(self) -> str:
        """pending, held, running, finished, failed or cancelled."""
        return self.info["state"]

    @property
    def exit_code(self) -> int | None:
        """Of its last attempt; None while it has none, or where a signal ended it."""
        return self.info["exit_code"]

    def element(self, index: int) -> Job:
        """One of an array: it is asked, waited for, and controlled as a job."""
        return Job(self.cluster, f"{self.id}_{index}")

    def elements(self, state: str | None = None) -> Table:
        """All of an array by index, one a row; `state` is one or several, such as "failed,held"."""
        found: list[dict[str, Any]] = []
        cursor = None
        while True:
            query = {"limit": 1000, **({"state": state} if state else {}),
                     **({"cursor": cursor} if cursor else {})}
            page = self.cluster._call(
                "GET", f"/v1/jobs/{self.id}/elements?" + urllib.parse.urlencode(query))
            found += page["elements"]
            cursor = page.get("next_cursor")
            if not cursor:
                return Table(found, ELEMENT_COLUMNS)

    def why(self) -> Why:
        """Why it is in its state; as text, one line."""
        return Why(self.cluster._call("GET", f"/v1/jobs/{self.id}/why"))

    def wait(self, timeout: float | None = None) -> Job:
        """Waits until it has ended, however, at most `timeout` seconds, and returns it."""
        end = None if timeout is None else time.monotonic() + timeout
        pause = 0.005
        while self.state not in TERMINAL:
            if end is not None and time.monotonic() >= end:
                raise TimeoutError(f"job {self.id}: {self.why()}")
            time.sleep(pause)
            pause = min(pause * 1.5, 0.5)
        return self

    def logs(self, stream: str = "stdout", attempt: int | None = None) -> str:
        """What an attempt, the last one by default, has written so far to `stdout` or `stderr`.
        Raises LibrmError, `failed_precondition`, while there is no attempt."""
        query = {"stream": stream, **({"attempt": attempt} if attempt else {})}
        path = f"/v1/jobs/{self.id}/logs?{urllib.parse.urlencode(query)}"
        try:
            with send(self.cluster.url, "GET", path) as answer:
                return answer.read().decode(errors="replace")
        except urllib.error.HTTPError as error:
            raise _refusal(error) from None
        except OSError as error:
            raise LibrmError("unavailable", f"{self.cluster.url}{path}: {error}") from None

    def cancel(self, reason: str = "") -> Job:
        return self._control("cancel", reason)

    def hold(self, reason: str = "") -> Job:
        """Does not start it, as long as it waits, until it is released."""
        return self._control("hold", reason)

    def release(self, reason: str = "") -> Job:
        return self._control("release", reason)

    def requeue(self, reason: str = "") -> Job:
        """Kills what runs and starts it anew."""
        return self._control("requeue", reason)

    def retry(self, reason: str = "") -> Job:
        """Starts what failed or was cancelled anew."""
        return self._control("retry", reason)

    def _control(self, action: str, reason: str) -> Job:
        self.cluster._call("POST", f"/v1/jobs/{self.id}/{action}", {"reason": reason})
        return self


class Jobs(list[Job]):
    """Jobs that belong together, such as those of one submission; a notebook shows their states."""

    def wait(self, timeout: float | None = None) -> Jobs:
        """Waits until all have ended, at most `timeout` seconds."""
        return self[0].cluster.wait(self, timeout) if self else self

    def states(self) -> Counter[str]:
        """How many are in which state."""
        return Counter(job.state for job in self)

    def infos(self) -> Table:
        """Everything known about each, one a row."""
        return Table((job.info for job in self), JOB_COLUMNS)

    def attempts(self) -> Table:
        """See Cluster.attempts."""
        return self[0].cluster.attempts(self) if self else Table((), ATTEMPT_COLUMNS)

    def _repr_html_(self) -> str:
        return self.infos()._repr_html_()


def connect(url: str | None = None) -> Cluster:
    """The cluster at `url`, else at RM_MASTER, else at the default port of this machine. Of several
    masters all addresses with commas between, or where they elect their leader, `zk://...`. Asks
    nobody: a master that is not there is noticed by the first request."""
    url = url or os.environ.get("RM_MASTER") or "http://127.0.0.1:5050"
    return Cluster(url if "://" in url else "http://" + url)


def _quoted(value: Any) -> str:
    return urllib.parse.quote(str(value), safe="")


def _job_of(command: str | Sequence[str], fields: Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(command, str):
        return {"command": command, **fields}
    return {"argv": [str(word) for word in command], **fields}


def _filled(command: str | Sequence[str], item: Any, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The job of one item of a map."""
    values = item if isinstance(item, Mapping) else {"": item}

    def fill(text: str) -> str:
        for key, value in values.items():
            text = text.replace("{" + str(key) + "}", str(value))
        return text

    filled = fill(command) if isinstance(command, str) else [fill(str(word)) for word in command]
    job = _job_of(filled, fields)
    if isinstance(job.get("name"), str):
        job["name"] = fill(job["name"])
    return job


def _resolved(job: Mapping[str, Any]) -> dict[str, Any]:
    """Jobs given as dependencies are named by their ids."""
    resolved = dict(job)
    for key in PARENTS:
        if key in resolved:
            given = resolved[key]
            parents = given if isinstance(given, (list, tuple)) else [given]
            resolved[key] = [str(p.id) if isinstance(p, Job) else str(p) for p in parents]
    return resolved


def _attempts_of(job: Job) -> Iterable[dict[str, Any]]:
    info = job.info
    index = info.get("index")
    if info.get("array") and index is None:
        for element in job.elements(state="running,finished,failed,cancelled"):
            if element["attempt"]:
                yield from _attempts_of(job.element(element["index"]))
    for attempt in info["attempts"]:
        yield {**attempt, "job": job.id,
               "name": info["name"] if index is None else f"{info['name']}[{index}]",
               "node": attempt["node"]["hostname"], "submitted": info["submitted"],
               "cpus": info["request"].get("cpus", 0), "mem": info["request"].get("mem", 0)}


def _refusal(error: urllib.error.HTTPError) -> LibrmError:
    try:
        problem = json.loads(error.read())
        return LibrmError(problem["code"], problem["detail"], problem.get("errors", ()))
    except (ValueError, KeyError):
        return LibrmError("io_error", f"HTTP {error.code}")
