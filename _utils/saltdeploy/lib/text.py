"""Texts as they may leave the host: with escapes for what is no character, without passwords; and moments."""

from __future__ import annotations

import re
import time


def legible(text: str) -> str:
    """The text with escapes for what is no character: names of files may be any bytes, msgpack takes UTF-8 only."""
    return text.encode("utf-8", "backslashreplace").decode()


def public(text: str) -> str:
    """A URL, or a text with URLs in it, without the passwords and tokens that stand before the host."""
    return _PASSWORD.sub("***@", _TOKEN.sub("***@", text))


def utc(seconds: float) -> str:
    """A moment, in seconds since the epoch, in UTC: ``2026-11-23T10:11:12Z``."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def size(number: float) -> str:
    """A number of bytes, in decimal units.

    >>> size(2_345_678)
    '2.3 MB'
    """
    for unit in _UNITS:
        if number < 999.5 or unit == _UNITS[-1]:
            break
        number /= 1000
    return f"{number:.0f} {unit}" if unit == "B" or number >= 99.95 else f"{number:.1f} {unit}"


_TOKEN = re.compile(r"(?<=http://)[^\s/'\"]+@|(?<=https://)[^\s/'\"]+@")
_PASSWORD = re.compile(r"(?<![^\s/'\"])[^\s/:'\"]*:[^\s/'\"]+@")
_UNITS = ("B", "KB", "MB", "GB", "TB")
