"""What scap's ``scap.cfg`` says for one deployment server: the section ``global`` and those of the domains that it is in."""

from __future__ import annotations

import configparser
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from saltdeploy.lib.errors import ConfigError

_YES, _NO = ("1", "yes", "true", "on"), ("0", "no", "false", "off")


@dataclass(frozen=True)
class ScapSettings:
    """Keys and values as they are written.

    Attributes:
        said: key to value.
        others: sections that are for other hosts.
    """

    said: Mapping[str, str] = field(default_factory=dict)
    others: tuple[str, ...] = ()


def read(files: Sequence[tuple[str, str]], host: str) -> ScapSettings:
    """What counts for a host.

    Args:
        files: name and text of each, the one that counts most last.
        host: the deployment server's full name: ``deploy1.eqiad.example.org`` has the sections ``org``,
            ``example.org`` and so on, the longest of which counts most.

    Raises:
        ConfigError: a file is none of this kind.
    """
    parser = configparser.ConfigParser(interpolation=None)
    for name, text in files:
        try:
            parser.read_string(text, source=name)
        except configparser.Error as error:
            cause = " ".join(str(error).split())[:500]
            raise ConfigError(
                f"it is no configuration of scap: {cause}", path=name, next="mend the file"
            ) from None
    parts = host.split(".")
    mine = ["global", *(".".join(parts[place:]) for place in reversed(range(len(parts))))]
    said: dict[str, str] = {}
    for section in mine:
        if parser.has_section(section):
            said |= parser.items(section)
    return ScapSettings(said, tuple(each for each in parser.sections() if each not in mine))


def flag(value: str) -> bool:
    """A truth value in scap's spelling.

    Raises:
        ValueError: it is none.
    """
    word = value.strip().lower()
    if word not in (*_YES, *_NO):
        raise ValueError("is no truth value")
    return word in _YES
