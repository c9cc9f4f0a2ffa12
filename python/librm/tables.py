"""What the master answers, as values that notebooks show as tables and pandas takes as it is."""

from __future__ import annotations

import datetime
import html
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas

# Told apart by shape as well as by colour.
STATE_MARKS = {
    "pending": ("○", "#767676"), "held": ("‖", "#767676"), "running": ("▶", "#0072b2"),
    "finished": ("✓", "#00805a"), "failed": ("✗", "#c04000"), "cancelled": ("–", "#c04000"),
}
TIMES = ("submitted", "launched", "started", "ended")
ROWS_SHOWN_MAX = 60


class Table(list):
    """A list of dictionaries, one a row. `columns` are those that a notebook shows, as paths such
    as `node.hostname`; the rows have all that the master said."""

    def __init__(self, rows: Iterable[Mapping[str, Any]] = (), columns: Sequence[str] = ()) -> None:
        super().__init__(rows)
        self.columns = list(columns)

    def to_dicts(self) -> list[dict[str, Any]]:
        """Flat rows: what is nested is named `node.hostname`, times are datetimes in UTC."""
        return [dict(_flat(row)) for row in self]

    def to_dataframe(self) -> pandas.DataFrame:
        """The flat rows. Raises ImportError where pandas is not installed."""
        try:
            import pandas
        except ImportError:
            raise ImportError("to_dataframe() needs pandas (Debian: python3-pandas); "
                              "to_dicts() does without") from None
        return pandas.DataFrame(self.to_dicts())

    def _repr_html_(self) -> str:
        columns = self.columns or list(self[0] if self else ())
        rows = [[_cell(column, _at(row, column)) for column in columns]
                for row in self[:ROWS_SHOWN_MAX]]
        more = len(self) - len(rows)
        return html_table([column.split(".")[-1] for column in columns], rows,
                          f"{more} more" if more > 0 else "")


class Why:
    """Why a job is in its state. As text, the one line of `rmctl why`."""

    def __init__(self, answer: Mapping[str, Any]) -> None:
        self.job: int = answer["job"]
        self.state: str = answer["state"]
        self.summary: str = answer["summary"]
        self.details: list[str] = list(answer["details"])
        self.nodes = Table(answer["nodes"], ("hostname", "fits", "reason"))

    def __str__(self) -> str:
        return self.summary

    def __repr__(self) -> str:
        return f"<Why job {self.job}: {self.summary}>"

    def _repr_html_(self) -> str:
        lines = "".join(f"<br>{html.escape(line)}" for line in self.details)
        nodes = self.nodes._repr_html_() if self.nodes else ""
        return f"<p>job {self.job}: {html.escape(self.summary)}{lines}</p>{nodes}"


def html_table(headers: Sequence[str], rows: Sequence[Sequence[str]], note: str = "") -> str:
    """Plain HTML without colours of its own but for the marks of states; `rows` are HTML."""
    head = "".join(f'<th style="text-align:left">{html.escape(name)}</th>' for name in headers)
    body = "".join("<tr>" + "".join(f'<td style="text-align:left">{cell}</td>' for cell in row)
                   + "</tr>" for row in rows)
    caption = f"<p><small>{html.escape(note)}</small></p>" if note else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{caption}"


def time_of(text: str | None) -> datetime.datetime | None:
    """A time of the HTTP interface, which is RFC 3339 in UTC."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")) if text else None


def _flat(row: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in row.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, time_of(value) if key in TIMES else value


def _at(row: Mapping[str, Any], path: str) -> Any:
    value: Any = row
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _cell(column: str, value: Any) -> str:
    if value is None:
        return ""
    if column == "state" and value in STATE_MARKS:
        mark, colour = STATE_MARKS[value]
        return f'<span style="color:{colour}">{mark}</span> {value}'
    if column in TIMES:
        return html.escape(f"{time_of(value):%H:%M:%S}")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        return html.escape(", ".join(f"{key} {item}" for key, item in value.items()))
    return html.escape(str(value))
