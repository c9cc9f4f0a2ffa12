"""Job files as `rmctl submit` reads them: TOML or JSON, with defaults for all jobs of a file."""

from __future__ import annotations

import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any

from .errors import LibrmError


def read_job_file(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """The jobs of a `.toml` or `.json` file, each with the defaults laid under its own fields;
    tables (env, labels, constraints) are merged. What the fields mean is for the master to check.

    Raises LibrmError (invalid_argument) for a file that is no job file, OSError for none at all.
    """
    path = pathlib.Path(path)
    is_json = path.suffix == ".json"
    document = _parsed(path, is_json)
    if is_json and not ("jobs" in document or "defaults" in document):
        return [document]
    key = "jobs" if is_json else "job"
    unknown = set(document) - {key, "defaults", "apiVersion"}
    if unknown:
        raise _refused(path, f"unknown field '{sorted(unknown)[0]}'; need {key} and defaults")
    jobs, defaults = document.get(key), document.get("defaults", {})
    if not (isinstance(jobs, list) and jobs and isinstance(defaults, dict)
            and all(isinstance(job, dict) for job in jobs)):
        raise _refused(path, "expected a list of jobs" if is_json else "there is no [[job]] table")
    if "name" in defaults:
        raise _refused(path, "defaults: a name is of one job")
    return [_merged(defaults, job) for job in jobs]


def _parsed(path: pathlib.Path, is_json: bool) -> dict[str, Any]:
    text = path.read_text()
    try:
        if is_json:
            document = json.loads(text)
        else:
            import tomllib
            document = tomllib.loads(text)
    except ValueError as error:
        raise _refused(path, str(error)) from None
    if not isinstance(document, dict):
        raise _refused(path, "expected an object")
    return document


def _merged(defaults: Mapping[str, Any], job: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(defaults)
    # Each stands for the other.
    if "command" in job:
        merged.pop("argv", None)
    if "argv" in job:
        merged.pop("command", None)
    for key, value in job.items():
        if isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = {**merged[key], **value}
        else:
            merged[key] = value
    return merged


def _refused(path: pathlib.Path, what: str) -> LibrmError:
    return LibrmError("invalid_argument", f"{path}: {what}")
