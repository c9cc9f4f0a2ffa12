"""A framework of its own on a cluster's master: launches tasks and hears of them, by JSON lines."""

import json
import queue
import subprocess
import threading
import time

from _cluster import BIN, DEADLINE_S

TERMINAL = {"finished", "failed", "killed", "error", "lost", "dropped", "gone", "gone_by_operator"}


class Framework:
    def __init__(self, cluster, *arguments):
        host, port = cluster.master.field("cluster").rsplit(":", 1)
        self.process = subprocess.Popen(
            [BIN / "rm-test-framework", host, port, *map(str, arguments)], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.lines = queue.Queue()
        self.seen = []
        threading.Thread(target=self.read, daemon=True).start()
        self.id = self.wait(lambda line: line.get("subscribed"))

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None:
            print("the framework heard:", *self.seen[-30:], sep="\n  ")
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def read(self):
        for line in self.process.stdout:
            self.lines.put(json.loads(line))

    def do(self, **order):
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()

    def launch(self, *tasks):
        self.do(launch=list(tasks))

    def wait(self, condition, what="a line", deadline_s=DEADLINE_S):
        """The first line, of those already seen and those to come, for which condition(line)."""
        for line in self.seen:
            if condition(line):
                return condition(line)
        end = time.monotonic() + deadline_s
        while True:
            try:
                line = self.lines.get(timeout=max(0, end - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"after {deadline_s} s still not: {what}") from None
            self.seen.append(line)
            if condition(line):
                return condition(line)

    def state(self, task, *states):
        """The update with which the task came into one of these states."""
        def match(line):
            update = line.get("update")
            return update if update and update["task"] == task and update["state"] in states else None
        return self.wait(match, f"{task} is {' or '.join(states)}")

    def end(self, task):
        return self.state(task, *TERMINAL)

    def run(self, **task):
        self.launch(task)
        return self.end(task["id"])
