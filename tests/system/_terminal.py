"""A program on a terminal of its own, with somebody at the keyboard."""

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time

from _cluster import DEADLINE_S


class Terminal:
    def __init__(self, command, environment, columns=80, rows=24):
        self.screen = ""  # all that was written since somebody typed
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvpe(command[0], [str(word) for word in command], environment)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text):
        self.screen = ""
        os.write(self.fd, text.encode())

    def read_some(self, seconds):
        """False once the program has ended."""
        if not select.select([self.fd], [], [], seconds)[0]:
            return True
        try:
            self.screen += os.read(self.fd, 65536).decode(errors="replace")
            return True
        except OSError:  # the other end is closed
            return False

    def wait_for(self, text):
        end = time.monotonic() + DEADLINE_S
        while text not in self.screen:
            if not self.read_some(0.1) or time.monotonic() > end:
                raise AssertionError(f"{text!r} is not in {self.screen!r}")

    def wait_end(self):
        """The exit code."""
        end = time.monotonic() + DEADLINE_S
        while self.read_some(0.1):
            assert time.monotonic() < end, f"it goes on: {self.screen!r}"
        _, status = os.waitpid(self.pid, 0)
        self.pid = 0
        return os.waitstatus_to_exitcode(status)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)
