#!/usr/bin/python3
"""Runs the Python client's own documentation against a real cluster."""

import os
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE), str(ROOT / "python")]
from _cluster import Cluster  # noqa: E402

import librm  # noqa: E402


def main():
    passed = 0
    with Cluster(agents=2) as running:
        os.environ["RM_MASTER"] = running.url("")
        text = (ROOT / "python" / "README.md").read_text()
        example = re.search(r"```python\n(.*?)```", text, re.DOTALL).group(1)
        names = {}
        exec(compile(example, "README.md", "exec"), names)  # what a reader would paste
        assert [job.logs().strip() for job in names["squares"]] == ["0", "1", "4", "9"]
        assert names["total"].state == "finished"
        passed += 1

        cluster = librm.connect()
        try:
            cluster.submit("true", cpuz=1)
            raise AssertionError("an unknown field was accepted")
        except librm.LibrmError as error:
            assert error.code == "invalid_argument" and "cpus" in str(error), error
        passed += 1

        sleeper = cluster.submit("sleep 100")
        try:
            sleeper.wait(timeout=0.2)
            raise AssertionError("the wait did not time out")
        except TimeoutError as error:
            assert str(sleeper.id) in str(error), error
        assert sleeper.cancel("no longer wanted").wait(timeout=30).state == "cancelled"
        passed += 1

        assert {j["id"] for j in cluster.jobs(state="cancelled")} == {sleeper.id}
        assert len(cluster.nodes()) == 2
        passed += 1
    try:
        librm.connect("http://127.0.0.1:9").state()
        raise AssertionError("nobody listens there")
    except librm.LibrmError as error:
        assert error.code == "unavailable" and "rmctl dev" in str(error)
    passed += 1
    print(f"{passed} passed, 0 failed")


if __name__ == "__main__":
    main()
