#!/usr/bin/python3
"""Runs the Python client's own documentation against a real cluster."""

import os
import pathlib
import re
import sys
import tempfile
import types

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE), str(ROOT / "python")]
from _cluster import Cluster, wait_until  # noqa: E402

import librm  # noqa: E402


def check_map(cluster):
    words = cluster.map(["printf", "%s|", "{}"], ["a b", "$HOME"])
    pairs = cluster.map("echo {x}-{y}", [{"x": 1, "y": 2}, {"x": 3, "y": 4}], name="pair-{x}")
    assert [job.wait(60).logs() for job in words] == ["a b|", "$HOME|"]
    assert [job.wait(60).logs() for job in pairs] == ["1-2\n", "3-4\n"]
    assert [job.name for job in pairs] == ["pair-1", "pair-3"]
    assert pairs.states() == {"finished": 2}
    assert cluster.map("true", []) == [] == cluster.map("true", []).wait()
    assert cluster.logs("pair-3") == "3-4\n" and cluster.job("pair-1").id == pairs[0].id


def check_arrays(cluster):
    parts = cluster.submit("echo part $RM_ARRAY_INDEX; test $RM_ARRAY_INDEX != 2", array="0-3%2",
                           name="parts", cpus=0.5)
    follow = cluster.submit("true", array="0-3", after_corr=parts)
    assert parts.wait(60).state == "failed" and follow.wait(60).state == "cancelled"
    assert [row["state"] for row in parts.elements()] == ["finished"] * 2 + ["failed", "finished"]
    assert [row["index"] for row in parts.elements(state="failed")] == [2]
    assert parts.element(3).logs() == cluster.logs("parts[3]") == "part 3\n"
    assert parts.element(2).retry().wait(60).info["run"] == 2
    assert cluster.job(f"{parts.id}_1").id == f"{parts.id}_1"
    rows = cluster.attempts([parts])
    assert sorted(row["name"] for row in rows) == [f"parts[{n}]" for n in (0, 1, 2, 2, 3)], rows


def check_job_files(cluster):
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory) / "two.toml"
        path.write_text("[defaults]\ncpus = 0.5\nenv = { A = 'a', B = 'b' }\n"
                        "[[job]]\nname = 'one'\ncommand = 'echo $A $B $C'\nenv = { B = 'own' }\n"
                        "[[job]]\nargv = ['echo', 'two']\nafter_ok = ['one']\n")
        jobs = cluster.submit_file(path, env={"C": "c"}, labels={"from": "test"}).wait(60)
        assert [job.logs() for job in jobs] == ["a own c\n", "two\n"]
        assert [job.info["request"]["cpus"] for job in jobs] == [0.5, 0.5]
        assert jobs[0].info["labels"] == {"from": "test"}
        path.write_text("[[jobs]]\ncommand = 'true'\n")
        expect_refusal("unknown field 'jobs'", lambda: cluster.submit_file(path))
        path.write_text("[[job]]\ncommand = \n")
        expect_refusal(str(path), lambda: cluster.submit_file(path))
        path = path.with_suffix(".json")
        path.write_text('{"command": "echo json"}')
        assert cluster.submit_file(path).wait(60)[0].logs() == "json\n"
        path.write_text('{"defaults": {"cpus": 0.5}, "jobs": []}')
        expect_refusal("expected a list of jobs", lambda: cluster.submit_file(path))


def check_tables(cluster):
    job = cluster.submit("exit 3", retries=1).wait(60)
    assert (job.state, job.exit_code) == ("failed", 3)
    attempts = cluster.attempts([job])
    assert [row["exit_code"] for row in attempts] == [3, 3]
    flat = attempts.to_dicts()[0]
    assert flat["submitted"] <= flat["launched"] <= flat["ended"] and flat["started"].tzinfo
    assert flat["node"].startswith("node-") and flat["cpus"] == 1 and flat["cpu_seconds"] >= 0
    assert cluster.jobs(state="failed").to_dicts()[0]["request.cpus"] == 1
    html = job._repr_html_()
    assert "✗" in html and "failed" in html and str(job.id) in html
    label = librm.Table([{"text": "<script>", "number": 0.5}])._repr_html_()
    assert "&lt;script&gt;" in label and "0.5" in label
    # Whoever has no pandas is told; whoever has it gets the flat rows.
    present = sys.modules.get("pandas")
    try:
        sys.modules["pandas"] = None
        try:
            attempts.to_dataframe()
            raise AssertionError("there is no pandas")
        except ImportError as error:
            assert "python3-pandas" in str(error) and "to_dicts()" in str(error)
        sys.modules["pandas"] = types.SimpleNamespace(DataFrame=list)
        assert attempts.to_dataframe() == attempts.to_dicts()
    finally:
        sys.modules.pop("pandas")
        if present:
            sys.modules["pandas"] = present


def check_why(cluster):
    hog = cluster.map("exec sleep 1000", range(2), cpus=4)
    late = cluster.submit("true", cpus=2)
    why = wait_until(lambda: late.why() if "cpus: need 2" in str(late.why()) else None,
                     "it says what it is short of")
    assert (why.job, why.state) == (late.id, "pending") and str(why) == why.summary
    assert [node["fits"] for node in why.nodes] == [False, False]
    assert "cpus: need 2, free 0" in why._repr_html_() and "node-2" in why._repr_html_()
    assert str(cluster.why(late.id)).startswith("pending")
    for job in hog:
        job.cancel()
    assert late.wait(60).state == "finished"


def check_control(cluster):
    held = cluster.submit("true", hold=True)
    assert held.state == "held"
    assert held.release().wait(60).state == "finished"
    again = cluster.submit("exit 1").wait(60)
    assert again.retry().wait(60).info["run"] == 2
    expect_refusal("no such job", lambda: cluster.job("nobody"), "not_found")


def expect_refusal(text, call, code="invalid_argument"):
    try:
        call()
    except librm.LibrmError as error:
        assert error.code == code and text in str(error), (error.code, str(error))
        return
    raise AssertionError(f"no {code}")


def check_without_native_module():
    """This is the source's package, which has none."""
    expect_refusal("librm_native", librm.LocalCluster, "unsupported")
    expect_refusal("librm_native", lambda: librm.schedule.occurrences("R//P1D"), "unsupported")


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

        for check in (check_map, check_arrays, check_job_files, check_tables, check_why, check_control):
            check(cluster)
            passed += 1
    try:
        librm.connect("http://127.0.0.1:9").state()
        raise AssertionError("nobody listens there")
    except librm.LibrmError as error:
        assert error.code == "unavailable" and "rmctl dev" in str(error)
    passed += 1
    check_without_native_module()
    passed += 1
    print(f"{passed} passed, 0 failed")


if __name__ == "__main__":
    main()
