"""A cluster in this process: real services on a thread of their own, real tasks as processes."""

from __future__ import annotations

import os
import pathlib
import shutil
import weakref
from types import TracebackType
from typing import Any

from .client import Cluster
from .errors import LibrmError

LOG_LEVELS = ("debug", "info", "warn", "error")


class LocalCluster:
    """A cluster that ends with the `with` block, or with this process, whichever comes first.

        with librm.LocalCluster(nodes=2, cpus=4) as cluster:
            client = cluster.connect()
            client.submit("echo hello").wait()

    Master, batch front end and agents are the production services, on one thread that never
    touches a Python object; each node has a real rm-shepherd, and tasks are real processes. Several
    may live side by side. Other processes reach it at `url`, on 127.0.0.1.

    `nodes` is 1 to 64. `cpus` and `mem` (MiB, or "2G") are of each node; by default each is given
    all hardware threads of this machine, at least 2, and memory is divided. `topology`, such as
    "pack:2 core:8", is what each node emulates. `log_level` is that of the services' lines on
    stderr; it is one for the process.

    Ended by close(), by the end of the block, when it is garbage collected, and at interpreter
    exit: tasks are killed, and the temporary directory goes. Where the process dies without any of
    these, its tasks are killed too, and the next LocalCluster of this user removes the directory.

    Raises LibrmError: `unsupported` without the native module, `not_found` without rm-shepherd
    (looked for in RM_BIN_DIR, near the module, in PATH), `invalid_argument`, `deadline_exceeded`.
    """

    def __init__(self, nodes: int = 1, cpus: float | None = None, mem: int | str | None = None, *,
                 topology: str = "", log_level: str = "error") -> None:
        native = _native()
        if log_level not in LOG_LEVELS:
            raise LibrmError("invalid_argument",
                             f"log_level: '{log_level}' is none of {', '.join(LOG_LEVELS)}")
        if nodes < 1:
            raise LibrmError("invalid_argument", f"nodes: need 1 to 64, have {nodes}")
        native.set_log_level(log_level)
        cluster = native.LocalCluster(
            nodes=nodes, cpus=None if cpus is None else str(cpus),
            mem=None if mem is None else str(mem), topology=topology,
            programs_directory=str(_programs_directory(native)))
        self.url: str = cluster.url
        self.directory: str = cluster.directory
        # Also runs when this object is collected, and before the interpreter takes itself apart.
        self._end = weakref.finalize(self, _stop, cluster, os.getpid())

    def __repr__(self) -> str:
        return f"LocalCluster({self.url!r}{'' if self.running else ', closed'})"

    def __enter__(self) -> LocalCluster:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    @property
    def running(self) -> bool:
        """close() was not called yet."""
        return self._end.alive

    def connect(self) -> Cluster:
        """A client. Raises LibrmError (`failed_precondition`) after close()."""
        if not self.running:
            raise LibrmError("failed_precondition", f"the cluster at {self.url} is closed")
        return Cluster(self.url)

    def close(self) -> None:
        """Kills all tasks and ends everything, within seconds; does nothing when repeated. Raises
        LibrmError (`io_error`) where a service had failed before; everything is gone all the
        same."""
        self._end()


def _stop(cluster: Any, owner: int) -> None:
    # A child made by fork() has a copy of the object, and not the thread that it would wait for.
    if os.getpid() == owner:
        cluster.stop()


def _native() -> Any:
    try:
        from . import _native as module
    except ImportError as error:
        raise LibrmError(
            "unsupported",
            f"this part of librm needs its native module ({error}): build it with 'cmake --build "
            "build --target librm_native' and put build/python on PYTHONPATH; to run a cluster "
            "without it, start 'rmctl dev'") from None
    return module


def _programs_directory(native: Any) -> pathlib.Path:
    """Where rm-shepherd is: RM_BIN_DIR; else where a build (build/bin for build/python/librm) or an
    installation (bin for lib/python3/dist-packages/librm) has it; else in PATH."""
    if os.environ.get("RM_BIN_DIR"):
        return pathlib.Path(os.environ["RM_BIN_DIR"]).resolve()
    near = [parent / "bin" for parent in pathlib.Path(native.__file__).resolve().parents[2:5]]
    for directory in near:
        if (directory / "rm-shepherd").exists():
            return directory
    found = shutil.which("rm-shepherd")
    if found:
        return pathlib.Path(found).resolve().parent
    raise LibrmError("not_found", "no rm-shepherd in " + ", ".join(map(str, near))
                     + " or PATH; RM_BIN_DIR names another directory")
