"""Pictures of what ran: tasks by node, processors over time, and how long jobs waited.

Each takes `jobs.attempts()` (a Table), draws into `axes` or a new figure, and returns the axes.
Needs matplotlib (Debian: python3-matplotlib), which is imported when it is used.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .tables import Table

if TYPE_CHECKING:
    import datetime

    from matplotlib.axes import Axes

# Quiet, dark enough for white text, and told apart in grey; failures are the only warm one.
COLOURS = ("#4c78a8", "#3f8a80", "#7a68b3", "#6f7f3f", "#2f5f7f", "#7f7f7f")
FAILED = "#c4553b"
INK = "#404040"
FAINT = "#d9d9d9"
LANE_HEIGHT = 0.72
# Of the width of a picture that one letter takes.
LETTER_WIDTH = 0.0095


def gantt(attempts: Table, axes: Axes | None = None) -> Axes:
    """One lane for each task that a node ran at a time, one bar an attempt; time is in seconds
    since the first launch. Names that end in a number have their colour in common, as those of a
    map; failed attempts are marked. Attempts that have not started are not drawn, those that run
    are drawn up to the latest moment that any attempt knows of."""
    rows = _started(attempts)
    lanes = _lanes(rows)
    axes = axes or _new_axes(height=1.1 + 0.34 * max(1, sum(map(len, lanes.values()))))
    if not rows:
        return _nothing(axes)
    colours = _colours(rows)
    span = max(row["end_s"] for row in rows) or 1.0
    y, ticks = 0, []
    for node, node_lanes in lanes.items():
        ticks.append((y + (len(node_lanes) - 1) / 2, node))
        if y:
            axes.axhline(y - 0.5, color=FAINT, linewidth=0.8, zorder=0)
        for lane in node_lanes:
            for row in lane:
                _bar(axes, y, row, colours[_family(row["name"])], span)
            y += 1
    axes.set_yticks([tick for tick, _ in ticks], [node for _, node in ticks])
    axes.set_ylim(y - 0.5, -0.5)
    axes.set_xlim(0, span * 1.02)
    axes.set_xlabel("time since the first launch (s)")
    axes.tick_params(axis="y", length=0)
    _legend(axes, colours, any(row["state"] == "failed" for row in rows))
    return _tidy(axes, grid="x")


def cpu_use(attempts: Table, total: float | None = None, axes: Axes | None = None) -> Axes:
    """Processors over time: those given to tasks, and those that tasks really kept busy, which is
    each attempt's processor time spread evenly over its run. `total` are the cluster's cpus."""
    rows = _started(attempts)
    axes = axes or _new_axes(height=2.6)
    if not rows:
        return _nothing(axes)
    times, given = _steps((row["start_s"], row["end_s"], row["cpus"]) for row in rows)
    axes.fill_between(times, given, step="post", color=COLOURS[0], alpha=0.25, linewidth=0)
    axes.step(times, given, where="post", color=COLOURS[0], linewidth=1.4, label="given to tasks")
    times, busy = _steps((row["start_s"], row["end_s"], _busy(row)) for row in rows)
    axes.step(times, busy, where="post", color=INK, linewidth=1.4, label="kept busy")
    if total:
        axes.axhline(total, color=INK, linewidth=0.9, linestyle=(0, (4, 3)))
        axes.annotate(f"all {total:g} of the cluster", (1, total), (0, 3), va="bottom", ha="right",
                      xycoords=("axes fraction", "data"), textcoords="offset points", color=INK,
                      fontsize="small")
    axes.set_xlim(0, max(times) or 1)
    axes.set_ylim(0, max([total or 0, *given, *busy]) * 1.15)
    axes.set_xlabel("time since the first launch (s)")
    axes.set_ylabel("cpus")
    _legend_above(axes)
    return _tidy(axes, grid="y")


def waits(attempts: Table, axes: Axes | None = None) -> Axes:
    """How long each job waited, from its submission to its first launch, and then ran: one bar a
    job, in the order of submission. What it waited for is what `why` says."""
    rows = _first_and_last(_started(attempts))
    axes = axes or _new_axes(height=1.1 + 0.26 * max(1, len(rows)))
    if not rows:
        return _nothing(axes)
    for y, (first, last) in enumerate(rows):
        waited = first["launch_s"] - first["submit_s"]
        axes.barh(y, waited, LANE_HEIGHT, color=FAINT, label="waited" if y == 0 else None)
        colour = FAILED if last["state"] == "failed" else COLOURS[0]
        axes.barh(y, last["end_s"] - first["launch_s"], LANE_HEIGHT, waited, color=colour,
                  label="ran" if y == 0 else None)
    axes.set_yticks(range(len(rows)), [first["name"] for first, _ in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("time since its submission (s)")
    _legend_above(axes)
    return _tidy(axes, grid="x")


# --- values ---


def _started(attempts: Table) -> list[dict[str, Any]]:
    """The attempts that have started, by launch, with their times in seconds since the first of
    these, as `submit_s`, `launch_s`, `start_s`, `end_s`."""
    rows = [row for row in attempts.to_dicts() if row["started"]]
    rows.sort(key=lambda row: (row["launched"], row["task"]))
    if not rows:
        return []
    origin = rows[0]["launched"]
    latest = max(row["ended"] or row["started"] for row in rows)

    def seconds(time: datetime.datetime) -> float:
        return (time - origin).total_seconds()

    for row in rows:
        row["submit_s"], row["launch_s"] = seconds(row["submitted"]), seconds(row["launched"])
        row["start_s"], row["end_s"] = seconds(row["started"]), seconds(row["ended"] or latest)
    return rows


def _lanes(rows: Iterable[Mapping[str, Any]]) -> dict[str, list[list[Mapping[str, Any]]]]:
    """By node, the fewest lanes in which no two attempts overlap."""
    nodes: dict[str, list[list[Mapping[str, Any]]]] = {}
    for row in rows:
        lanes = nodes.setdefault(row["node"], [])
        for lane in lanes:
            if lane[-1]["end_s"] <= row["launch_s"]:
                lane.append(row)
                break
        else:
            lanes.append([row])
    return dict(sorted(nodes.items(), key=lambda item: _natural(item[0])))


def _natural(name: str) -> list[tuple[int, str]]:
    """node-10 comes after node-9."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", name)]


def _family(name: str) -> str:
    return re.sub(r"[-_.]?\d+$", "", name) or name


def _colours(rows: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    families = dict.fromkeys(_family(row["name"]) for row in rows)
    return {family: COLOURS[index % len(COLOURS)] for index, family in enumerate(families)}


def _steps(spans: Iterable[tuple[float, float, float]]) -> tuple[list[float], list[float]]:
    """The sum over time of (from, to, amount), as the corners of a step function."""
    changes: dict[float, float] = {0.0: 0.0}
    for start, end, amount in spans:
        changes[start] = changes.get(start, 0.0) + amount
        changes[end] = changes.get(end, 0.0) - amount
    times, sums, now = [], [], 0.0
    for time in sorted(changes):
        now += changes[time]
        times.append(time)
        sums.append(max(0.0, round(now, 9)))
    return times, sums


def _busy(row: Mapping[str, Any]) -> float:
    """Cpus that an attempt kept busy on average. Processor time is counted in clock ticks, so that
    a short task may seem to have had more than it was there for."""
    duration = row["end_s"] - row["start_s"]
    return row["cpu_seconds"] / duration if duration > 0.005 else 0.0


def _first_and_last(rows: Sequence[Mapping[str, Any]]) -> list[tuple[Any, Any]]:
    """Of each job its first and last attempt, in the order of submission."""
    jobs: dict[int, list[Mapping[str, Any]]] = {}
    for row in rows:
        jobs.setdefault(row["job"], []).append(row)
    return [(attempts[0], attempts[-1]) for _, attempts in sorted(jobs.items())]


# --- drawing ---


def _new_axes(height: float) -> Axes:
    try:
        from matplotlib import pyplot
    except ImportError:
        raise ImportError("librm.plots needs matplotlib (Debian: python3-matplotlib)") from None
    _, axes = pyplot.subplots(figsize=(8.0, min(height, 12.0)), layout="constrained")
    return axes


def _bar(axes: Axes, y: float, row: Mapping[str, Any], colour: str, span: float) -> None:
    """One attempt, with its job's name where that fits; `span` seconds are the whole width."""
    width = row["end_s"] - row["start_s"]
    failed = row["state"] == "failed"
    axes.barh(y, width, LANE_HEIGHT, row["start_s"], color=FAILED if failed else colour,
              edgecolor="white", linewidth=0.8, hatch="///" if failed else None)
    if width / span > LETTER_WIDTH * (len(row["name"]) + 2):
        axes.annotate(row["name"], (row["start_s"], y), (5, -0.5), textcoords="offset points",
                      color="white", va="center", fontsize="small")


def _legend(axes: Axes, colours: Mapping[str, str], any_failed: bool) -> None:
    from matplotlib.patches import Patch
    handles = [Patch(color=colour, label=family) for family, colour in colours.items()]
    if any_failed:
        handles.append(Patch(facecolor=FAILED, edgecolor="white", hatch="///", label="failed"))
    _legend_above(axes, handles=handles)


def _legend_above(axes: Axes, **options: Any) -> None:
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=8, frameon=False, borderaxespad=0.2,
                handlelength=1.1, columnspacing=1.4, fontsize="small", labelcolor=INK, **options)


def _tidy(axes: Axes, grid: str) -> Axes:
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(INK)
    axes.tick_params(colors=INK, labelsize="small")
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set(color=INK, fontsize="small")
    axes.grid(axis=grid, color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    return axes


def _nothing(axes: Axes) -> Axes:
    axes.text(0.5, 0.5, "nothing has started yet", ha="center", va="center", color=INK,
              transform=axes.transAxes)
    axes.set_axis_off()
    return axes
