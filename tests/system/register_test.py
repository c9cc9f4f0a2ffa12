"""An agent finds its master, again after the master comes back elsewhere, and its shepherd."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from _cluster import BIN, Daemon, is_shepherd, wait_until  # noqa: E402


class Host:
    """One master and one agent, read through their logs and files."""

    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="rm-test-"))
        self.master = Daemon("rm-master", self.master_command(), self.directory / "master.log")
        self.agent = Daemon("rm-agent", [
            BIN / "rm-agent", "--master-dir", self.directory / "master", "--port", "0",
            "--work-dir", self.directory / "agent", "--resources", "cpus:2;mem:512"],
            self.directory / "agent.log")

    def master_command(self):
        return [BIN / "rm-master", "--port", "0", "--cluster-port", "0",
                "--work-dir", self.directory / "master"]

    def log(self, name):
        path = self.directory / f"{name}.log"
        return path.read_text() if path.exists() else ""

    def wait_log(self, name, text, count=1):
        wait_until(lambda: self.log(name).count(text) >= count, f"{name}.log has {count} × {text}")

    def shepherd_pid(self):
        try:
            pid = int((self.directory / "agent" / "shepherd.pid").read_text())
        except (OSError, ValueError):
            return None
        return pid if is_shepherd(pid) else None

    def end(self):
        for daemon in (self.agent, self.master):
            if daemon.process and daemon.process.poll() is None:
                daemon.kill()
        pid = self.shepherd_pid()
        if pid:
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.directory, ignore_errors=True)


def check_registers(host):
    host.master.start()
    assert host.master.field("epoch") == "1", host.master.ready
    host.agent.start()
    host.wait_log("agent", "msg=registered agent=a-1 epoch=1")
    host.wait_log("agent", 'msg="connected to the shepherd"')


def check_one_master_a_directory(host):
    second = subprocess.run([str(c) for c in host.master_command()], capture_output=True,
                            text=True, timeout=20)
    assert second.returncode == 1 and not second.stdout, second
    assert "another master uses this directory" in second.stderr, second.stderr


def check_master_returns_on_another_port(host):
    before = host.master.field("cluster")
    host.master.kill()
    host.wait_log("agent", 'msg="lost the master"')
    host.master.start()
    assert host.master.field("epoch") == "2", host.master.ready
    assert host.master.field("cluster") != before, "port 0 picks a free one"
    host.wait_log("agent", "msg=registered agent=a-1 epoch=2")


def check_shepherd_is_started_again(host):
    first = wait_until(host.shepherd_pid, "a shepherd runs")
    os.kill(first, signal.SIGKILL)
    host.wait_log("agent", 'msg="lost the shepherd"')
    wait_until(lambda: host.shepherd_pid() not in (None, first), "another shepherd runs")
    host.wait_log("agent", 'msg="connected to the shepherd"', 2)


def check_agent_keeps_its_shepherd_and_its_id(host):
    shepherd = host.shepherd_pid()
    host.agent.stop()
    assert host.agent.process.returncode == 0, host.agent.process.returncode
    assert host.shepherd_pid() == shepherd, "the shepherd outlives the agent"
    host.agent.start()
    host.wait_log("agent", "msg=registered agent=a-1 epoch=2", 2)
    assert host.shepherd_pid() == shepherd, "it is found again"


def check_kill_on_exit(host):
    host.agent.stop()
    host.agent.command += ["--on-exit", "kill"]
    host.agent.start()
    host.wait_log("agent", 'msg="connected to the shepherd"', 4)
    host.agent.stop()
    assert host.agent.process.returncode == 0, host.agent.process.returncode
    wait_until(lambda: host.shepherd_pid() is None, "the shepherd has ended")


def check_clean_end(host):
    host.master.stop()
    assert host.master.process.returncode == 0, host.master.process.returncode
    assert not (host.directory / "master" / "master.address").exists()


def main():
    host = Host()
    try:
        for check in (check_registers, check_one_master_a_directory,
                      check_master_returns_on_another_port, check_shepherd_is_started_again,
                      check_agent_keeps_its_shepherd_and_its_id, check_kill_on_exit,
                      check_clean_end):
            check(host)
            print(f"ok {check.__name__}")
    except BaseException:
        for name in ("master", "agent"):
            print(f"--- {name}.log\n{host.log(name)[-3000:]}")
        raise
    finally:
        host.end()


if __name__ == "__main__":
    main()
