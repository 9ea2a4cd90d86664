"""Errors that came over Salt as plain data, see :meth:`saltdeploy.lib.errors.DeployError.to_wire`."""

from __future__ import annotations

from typing import Any, TypeGuard

from saltdeploy.lib.errors import DeployError
from saltdeploy.lib.text import legible


def _tree(cls: type[DeployError]) -> list[type[DeployError]]:
    return [cls, *(deeper for child in cls.__subclasses__() for deeper in _tree(child))]


#: Of classes with the same kind the one that the others are made of.
_BY_KIND = {cls.kind: cls for cls in reversed(_tree(DeployError))}


def from_wire(data: object) -> DeployError:
    """Rebuild an error that came over Salt; parts of the wrong form are left out."""
    if not isinstance(data, dict):
        return DeployError("the host gave an error of an unreadable form")
    kind, status = data.get("kind"), data.get("status")
    cls = _BY_KIND.get(kind, DeployError) if isinstance(kind, str) else DeployError
    return cls(
        _text(data, "cause", 4000),
        repo=_text(data, "repo", 256),
        host=_text(data, "host", 256),
        path=_text(data, "path", 4096),
        next=_text(data, "next", 1000),
        status=status if is_status(status) else None,
    )


def is_status(value: object) -> TypeGuard[int]:
    """Whether ``value`` can be a status number: git's, Trebuchet's or one of ours."""
    return isinstance(value, int) and not isinstance(value, bool) and -1 <= value <= 255


def _text(data: dict[str, Any], key: str, most: int) -> str:
    value = data.get(key)
    return legible(value[:most]) if isinstance(value, str) else ""
