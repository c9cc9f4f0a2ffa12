#!/usr/bin/python3
"""rmctl logs shows every byte once: of several jobs at once, and while agents are killed."""

import pathlib
import subprocess
import sys
import tempfile

from _cluster import DEADLINE_S, Cluster, wait_until

# Numbers its lines, on stdout and on stderr, until the file `stop` is there.
WRITER = """n=0; until [ -e {stop} ]; do n=$((n+1)); echo "line $n"; echo "error $n" >&2; sleep 0.01
done; printf 'the end, without a newline'"""


class Following:
    """`rmctl logs` in the background, its output in files."""

    def __init__(self, cluster, directory, *arguments):
        self.out, self.err = directory / "out", directory / "err"
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            self.process = subprocess.Popen(cluster.rmctl_command("logs", *arguments),
                                            stdout=out, stderr=err)

    def goes_on(self):
        for file in (self.out, self.err):
            size = file.stat().st_size
            wait_until(lambda: file.stat().st_size > size + 100, "it follows")

    def end(self, code=0):
        assert self.process.wait(DEADLINE_S) == code, self.err.read_text()[-1000:]
        return self.out.read_text(), self.err.read_text()


def written(cluster, job, stream, attempt=1):
    file, = cluster.directory.glob(f"agent-*/runs/*/{job}.1.{attempt}/{stream}")
    return file.read_text()


def kill_and_start(agent):
    before = agent.field("http")
    agent.kill()
    agent.start()
    assert agent.field("http") != before, "the port is another one"


def check_nothing_is_lost_or_doubled_when_the_agent_is_killed(cluster, directory):
    stop = directory / "stop"
    job, = cluster.submit({"command": WRITER.format(stop=stop)})
    wait_until(lambda: cluster.job(job)["started"], "it runs")
    following = Following(cluster, directory, "-f", job)
    agent = next(a for a in cluster.agents
                 if a.name.endswith(cluster.job(job)["node"]["hostname"][-1]))
    for _ in range(3):
        following.goes_on()
        kill_and_start(agent)
    following.goes_on()
    stop.touch()
    out, err = following.end()
    assert out == written(cluster, job, "stdout") and out.endswith("without a newline"), out[-200:]
    assert err == written(cluster, job, "stderr"), err[-200:]
    assert out.startswith("line 1\nline 2\n") and err.startswith("error 1\n")


def check_an_end_while_the_agent_is_away_is_shown(cluster, directory):
    stop = directory / "stop"
    job, = cluster.submit({"command": WRITER.format(stop=stop)})
    wait_until(lambda: cluster.job(job)["started"], "it runs")
    following = Following(cluster, directory, "-f", "--stream", "stdout", str(job))
    wait_until(lambda: following.out.stat().st_size > 100, "it follows")
    agents = cluster.agents
    for agent in agents:
        agent.kill()
    stop.touch()
    wait_until(lambda: written(cluster, job, "stdout").endswith("without a newline"), "it ended")
    assert following.process.poll() is None
    for agent in agents:
        agent.start()
    assert following.end()[0] == written(cluster, job, "stdout")


def check_several_jobs_line_by_line(cluster, directory):
    stop = directory / "stop"
    names = ["short", "a-longer-name", "on-both-nodes"]
    jobs = cluster.submit(*({"name": name, "cpus": 2, "command": WRITER.format(stop=stop)}
                            for name in names))
    for job in jobs:
        wait_until(lambda: cluster.job(job)["started"], "it runs")
    following = Following(cluster, directory, "-f", *names)
    following.goes_on()
    kill_and_start(cluster.agents[0])
    following.goes_on()
    stop.touch()
    nodes = {cluster.job(job)["node"]["hostname"] for job in jobs}
    assert len(nodes) == 2, nodes
    for text, stream in zip(following.end(), ("stdout", "stderr")):
        lines = text.splitlines()
        for job, name in zip(jobs, names):
            label = f"{name:13} | "
            of_job = [line.removeprefix(label) for line in lines if line.startswith(label)]
            assert of_job == written(cluster, job, stream).splitlines(), (name, stream)
        assert {line.split("|")[0].strip() for line in lines} == set(names), "whole lines only"
        begins = [lines.index(f"{name:13} | {'line' if stream == 'stdout' else 'error'} 5")
                  for name in names]
        assert max(begins) < len(lines) - 5, "interleaved"


def check_one_stream_is_data(cluster, directory):
    job, = cluster.submit({"command": "echo out; echo err >&2"})
    cluster.wait_terminal([job])
    assert Following(cluster, directory, job).end() == ("out\n", "err\n")
    assert Following(cluster, directory, job, "--stream", "stderr").end() == ("err\n", "")
    assert Following(cluster, directory, job, "--stream", "stdout").end() == ("out\n", "")


def check_a_job_that_waits_is_shown_once(cluster, directory):
    job, = cluster.submit({"command": "echo once", "hold": True})
    following = Following(cluster, directory, "-f", job)
    assert cluster.request("POST", f"/v1/jobs/{job}/release")[0] == 202
    assert following.end() == ("once\n", "")


def check_every_attempt_is_followed(cluster, directory):
    # The first attempt waits until it is followed: of an ended job the last one alone is shown.
    seen = directory / "seen"
    command = f"echo $RM_TASK_ID; until [ -e {seen} ]; do sleep 0.01; done; exit 1"
    job, = cluster.submit({"command": command, "retries": 2})
    following = Following(cluster, directory, "-f", job)
    wait_until(lambda: following.out.stat().st_size > 0, "it follows")
    seen.touch()
    shown = following.end()[0]
    assert shown == f"{job}.1.1\n{job}.1.2\n{job}.1.3\n", shown
    assert Following(cluster, directory, job, "--attempt", "2").end()[0] == f"{job}.1.2\n"
    assert Following(cluster, directory, job).end()[0] == f"{job}.1.3\n", "the last one"


def check_what_never_ran_says_so(cluster, directory):
    job, other = cluster.submit({"command": "true", "hold": True}, {"command": "echo other"})
    cluster.wait_terminal([other])
    _, err = Following(cluster, directory, job).end(code=1)
    assert "has no attempt yet" in err, err
    out, err = Following(cluster, directory, job, other).end(code=1)
    assert f"job {job}: job {job} is held" in err and out.endswith(" | other\n"), (out, err)


def main():
    checks = [check for name, check in globals().items() if name.startswith("check_")]
    with Cluster(agents=2) as cluster:
        for check in checks:
            with tempfile.TemporaryDirectory(prefix="rm-test-") as directory:
                check(cluster, pathlib.Path(directory))
            print(f"ok {check.__name__}")
    print(f"{len(checks)} passed, 0 failed")


if __name__ == "__main__":
    sys.exit(main())
