"""Which master to ask: one, several of which one leads, or whoever ZooKeeper says."""

from __future__ import annotations

import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from http.client import HTTPResponse

from .errors import LibrmError

TIMEOUT_S = 60.0
RETRY_FOR_S = 15.0
RETRY_PAUSE_S = 0.2
ELECTED = ("zk://", "file://")


def send(url: str, method: str, path: str, data: bytes | None = None,
         headers: Mapping[str, str] | None = None, repeatable: bool = True) -> HTTPResponse:
    """The answer of the master that leads. `url` is one address, several with commas, or where
    they elect, `zk://...`. What is repeatable is, for some seconds, where nobody answers or nobody
    leads; a single address is tried three times. Raises HTTPError for a refusal, OSError where
    nobody answers, LibrmError where ZooKeeper cannot be asked."""
    several = "," in url or url.startswith(ELECTED)
    end = time.monotonic() + (RETRY_FOR_S if several else 2 * RETRY_PAUSE_S)
    while True:
        try:
            return _send_once(url, method, path, data, dict(headers or {}))
        except urllib.error.HTTPError as error:
            leaderless = several and error.code == 503
            if not (leaderless and repeatable) or time.monotonic() >= end:
                raise
        except OSError:
            if not repeatable or time.monotonic() >= end:
                raise
        time.sleep(RETRY_PAUSE_S)


def _send_once(url: str, method: str, path: str, data: bytes | None,
               headers: dict[str, str]) -> HTTPResponse:
    """By the first that answers; who does not lead says who does."""
    last: OSError | None = None
    for base in _bases(url):
        try:
            return _follow(base, method, path, data, headers)
        except urllib.error.HTTPError as error:
            if error.code != 503:
                raise
            last = error
        except OSError as error:
            last = error
    raise last or OSError("no master is known")


def _follow(base: str, method: str, path: str, data: bytes | None,
            headers: dict[str, str]) -> HTTPResponse:
    request = urllib.request.Request(base + path, data, headers, method=method)
    try:
        return urllib.request.urlopen(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        leader = error.headers.get("Location", "")
        if error.code not in (307, 308) or not leader:
            raise
        # urllib follows for GET alone.
        parts = urllib.parse.urlsplit(leader)
        again = urllib.request.Request(f"{parts.scheme}://{parts.netloc}{path}", data, headers,
                                       method=method)
        return urllib.request.urlopen(again, timeout=TIMEOUT_S)


def _bases(url: str) -> Iterator[str]:
    if not url.startswith(ELECTED):
        for address in url.split(","):
            yield address if "://" in address else "http://" + address
        return
    program = shutil.which("rm-leader")
    if program is None:
        raise LibrmError("unavailable", f"{url}: the program rm-leader is not in PATH")
    asked = subprocess.run([program, url], capture_output=True, text=True, check=False)
    if asked.returncode == 2:
        raise LibrmError("invalid_argument", asked.stderr.strip())
    for line in asked.stdout.splitlines():
        yield "http://" + dict(word.split("=", 1) for word in line.split())["http"]
