"""Texts that may leave the host: with escapes for what is no character, and without passwords."""

from __future__ import annotations

import re


def legible(text: str) -> str:
    """The text with escapes for what is no character: names of files may be any bytes, msgpack takes UTF-8 only."""
    return text.encode("utf-8", "backslashreplace").decode()


def public(text: str) -> str:
    """A URL, or a text with URLs in it, without the passwords and tokens that stand before the host."""
    return _PASSWORD.sub("***@", _TOKEN.sub("***@", text))


_TOKEN = re.compile(r"(?<=http://)[^\s/'\"]+@|(?<=https://)[^\s/'\"]+@")
_PASSWORD = re.compile(r"(?<![^\s/'\"])[^\s/:'\"]*:[^\s/'\"]+@")
