"""What may be asked of the warm door, read from a frame: a function of the runner ``deploy``, as one types it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from saltclient.wire import PASSED_ON, is_taken

from saltdeploy.lib import errors

_FUNCTION = re.compile(r"deploy\.([a-z_]{1,40})")
_MOST_WORDS = 64
_MOST_LETTERS = 256  # of a value of the environment


@dataclass(frozen=True)
class DoorRequest:
    """A command line of ``salt-run``.

    Attributes:
        function: of the runner ``deploy``: ``sync``.
        arguments: as they were typed: ``repo=mediawiki``.
        options: of ``salt-run``; each is one of those that touch nothing but what is shown.
        environment: what counts for what is shown, and ``SUDO_USER``.
    """

    function: str
    arguments: tuple[str, ...]
    options: tuple[str, ...]
    environment: Mapping[str, str]

    @classmethod
    def of_wire(cls, message: Mapping[str, object]) -> DoorRequest:
        """Read a frame.

        Raises:
            BadArguments: it is none.
        """
        words, options = _texts(message, "words"), _texts(message, "options")
        environment = message.get("environment")
        function = _FUNCTION.fullmatch(words[0]) if words else None
        if function is None:
            raise errors.BadArguments("this door opens to functions deploy.* only", next="salt-run -d deploy")
        if not isinstance(environment, dict) or not all(
            name in PASSED_ON and isinstance(value, str) and len(value) <= _MOST_LETTERS and "\0" not in value
            for name, value in environment.items()
        ):
            raise errors.BadArguments("the environment is none", next="salt-run")
        for option in options:
            if not is_taken(option):
                raise errors.BadArguments(f"the door does not take the option {option}", next="salt-run")
        return cls(function[1], tuple(words[1:]), tuple(options), environment)

    def command_line(self, config: str) -> list[str]:
        """The arguments of ``salt-run``; nothing that was typed as an argument can be read as an option.

        Args:
            config: directory of the master's configuration.
        """
        return ["-c", config, *self.options, "--", f"deploy.{self.function}", *self.arguments]


def _texts(message: Mapping[str, object], key: str) -> list[str]:
    found = message.get(key)
    if not isinstance(found, list) or len(found) > _MOST_WORDS:
        raise errors.BadArguments(f"{key} are no list of words", next="salt-run")
    if not all(isinstance(each, str) and "\0" not in each for each in found):
        raise errors.BadArguments(f"{key} are no words", next="salt-run")
    return found
