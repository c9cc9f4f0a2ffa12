"""The one exception of this package."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class LibrmError(Exception):
    """A refusal by the master or by the native module, or nobody there.

    `code` is the library's error code, such as `not_found`; `errors` are the fields to blame, each
    with `path` and `detail`; the text is for people and names the object, the limit and the amounts.
    """

    def __init__(self, code: str, detail: str, errors: Sequence[Mapping[str, str]] = ()) -> None:
        super().__init__("\n".join([detail, *(f"  {e['path']}: {e['detail']}" for e in errors)]))
        self.code = code
        self.errors = list(errors)
