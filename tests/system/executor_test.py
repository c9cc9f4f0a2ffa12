#!/usr/bin/python3
"""One executor process runs several tasks; and what becomes of tasks that ignore SIGTERM."""

import itertools
import os
import pathlib
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from _cluster import BIN, Cluster, wait_until  # noqa: E402
from _framework import Framework  # noqa: E402

marks = itertools.count()
COUNTER = {"id": "counter", "argv": [str(BIN / "example-counting-executor")]}


def counter(name, to=0):
    return {"id": name, "data": str(to), "executor": COUNTER}


def runs(pid):
    try:
        return "State:\tZ" not in pathlib.Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def answer(framework, task, executor, text):
    """Asks the executor until it answers: messages may be lost, and late answers may still come. So a
    second message, which is answered right after, marks the answer to this one."""
    def ask():
        mark = f"mark {next(marks)}"
        for message in (text, mark):
            framework.do(message=message, executor=executor, task=task)
        end = {"message": "unknown message: " + mark, "executor": executor}
        try:
            framework.wait(lambda line: line == end, deadline_s=1)
        except AssertionError:
            return None
        answers = [line["message"] for line in framework.seen if line.get("executor") == executor]
        return answers[-2] if len(answers) > 1 and "mark" not in answers[-2] else None
    return wait_until(ask, "the executor answers")


def status(framework, task, executor="counter"):
    """The executor's pid and tasks."""
    words = answer(framework, task, executor, "status").split()
    return int(words[0].removeprefix("pid=")), {w.split("=")[0] for w in words[1:]}


def check_one_process_runs_many_tasks(cluster, framework):
    framework.launch(counter("a"), counter("b"), counter("c", to=3))
    for task in "abc":
        framework.state(task, "running")
    end = framework.end("c")
    assert (end["state"], end["data"]) == ("finished", "3"), end
    pid, tasks = status(framework, "a")
    assert tasks == {"a", "b"}, tasks
    framework.launch(counter("d"))
    framework.state("d", "running")
    assert status(framework, "a") == (pid, {"a", "b", "d"}), "the same process"


def check_one_task_is_killed(cluster, framework):
    framework.do(kill="a")
    end = framework.end("a")
    assert end["state"] == "killed" and int(end["data"]) > 0, end
    _, tasks = status(framework, "b")
    assert tasks == {"b", "d"}, tasks


def check_executor_survives_the_agent(cluster, framework):
    pid, _ = status(framework, "b")
    agent = cluster.agents[0]
    agent.kill()
    agent.start()
    wait_until(lambda: len(cluster.connected()) == 1, "the agent is back")
    assert status(framework, "b") == (pid, {"b", "d"}), "it lives and has found the new agent"
    framework.launch(counter("e", to=2))
    assert framework.end("e")["state"] == "finished"
    assert status(framework, "b")[0] == pid


def check_tasks_end_with_their_process(cluster, framework):
    pid, _ = status(framework, "b")
    os.kill(pid, signal.SIGKILL)
    for task in "bd":
        end = framework.end(task)
        assert end["state"] == "failed" and end["reason"] == "executor_terminated", end
        assert end["message"] == "the executor was ended by signal 9", end
    framework.launch(counter("f"))
    framework.state("f", "running")
    assert status(framework, "f")[0] != pid, "a new process for new tasks"


def check_executors_are_apart(cluster, framework):
    framework.launch({"id": "g", "data": "0", "executor": {**COUNTER, "id": "other"}})
    framework.state("g", "running")
    counter_pid, counter_tasks = status(framework, "f")
    pid, tasks = status(framework, "g", "other")
    assert pid != counter_pid and (counter_tasks, tasks) == ({"f"}, {"g"})
    assert answer(framework, "g", "other", "hello") == "unknown message: hello"


def check_loss_while_the_agent_is_away(cluster, framework):
    pid, _ = status(framework, "g", "other")
    agent = cluster.agents[0]
    agent.kill()
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not runs(pid), "the executor has ended")
    agent.start()
    end = framework.end("g")
    assert end["state"] == "failed" and end["reason"] == "executor_terminated", end
    assert end["message"] == "the executor was ended by signal 9", end
    assert status(framework, "f")[1] == {"f"}, "the other one lives"


def check_executor_is_shut_down_with_its_framework(cluster, framework):
    pid, _ = status(framework, "f")
    framework.do(teardown=True)
    wait_until(lambda: not runs(pid), "the executor has ended")
    output = next(cluster.directory.glob("agent-1/runs/*/.executor.counter:f/stdout")).read_text()
    assert output == "ends: shut down by the agent\n", output


def check_executor_that_cannot_start(cluster, framework):
    end = framework.run(id="x", executor={"id": "nosuch", "argv": ["/no/such/program"]})
    assert end["state"] == "failed" and end["reason"] == "executor_terminated", end
    assert "could not be started: exec /no/such/program" in end["message"], end
    end = framework.run(id="y", executor={"id": "fetches", "argv": ["true"],
                                          "fetch": [{"uri": "/no/such/file"}]})
    assert "/no/such/file: no such file" in end["message"], end


def check_grace_of_a_command(cluster, framework):
    def trapping(action):
        return f"trap '{action}' TERM; touch ready; while :; do sleep 0.05; done"
    framework.launch({"id": "deaf", "command": trapping("echo TERM")},
                     {"id": "own", "command": trapping("echo TERM"), "kill_grace_ms": 700},
                     {"id": "polite", "command": trapping("exit 3")})
    for task in ("deaf", "own", "polite"):
        wait_until(lambda: list(cluster.directory.glob(f"agent-1/runs/*/{task}/ready")), "it runs")
    begin = time.monotonic()
    framework.do(kill="deaf", grace_ms=700)
    framework.do(kill="own")
    framework.do(kill="polite", grace_ms=3_600_000)
    polite = framework.end("polite")
    assert (polite["state"], polite["exit_code"]) == ("killed", 3), polite
    for task in ("deaf", "own"):
        end = framework.end(task)
        took = time.monotonic() - begin
        assert end["state"] == "killed" and end["reason"] == "killed_by_framework", end
        assert end["signal"] == signal.SIGKILL, end
        output, = cluster.directory.glob(f"agent-1/runs/*/{task}/stdout")
        assert output.read_text() == "TERM\n", "it was asked first, once"
        assert took >= 0.7, f"SIGKILL came after {took} s, inside of the grace"


def main():
    with Cluster(agents=1) as cluster:
        with Framework(cluster) as framework:
            for check in (check_one_process_runs_many_tasks, check_one_task_is_killed,
                          check_executor_survives_the_agent, check_tasks_end_with_their_process,
                          check_executors_are_apart, check_loss_while_the_agent_is_away,
                          check_executor_is_shut_down_with_its_framework):
                check(cluster, framework)
                print(f"ok {check.__name__}")
        with Framework(cluster) as framework:
            for check in (check_executor_that_cannot_start, check_grace_of_a_command):
                check(cluster, framework)
                print(f"ok {check.__name__}")
    print("9 passed, 0 failed")


if __name__ == "__main__":
    main()
