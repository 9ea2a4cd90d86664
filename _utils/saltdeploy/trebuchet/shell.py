"""What can be typed behind ``git deploy``, and how it ends: the exit code is Trigger's."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from saltdeploy.git.staging_tree import StagingTree
from saltdeploy.lib.errors import DeployError
from saltdeploy.lib.os_errors import from_os
from saltdeploy.trebuchet import refusal, settings
from saltdeploy.trebuchet.commands import Command, Invocation
from saltdeploy.trebuchet.console import Operator
from saltdeploy.trebuchet.refusal import Refusal
from saltdeploy.trebuchet.staging import Staging
from saltdeploy.trebuchet.subcommands import TABLE

_DESCRIPTION = "Git command-line interface for trebuchet"


def main(argv: Sequence[str] | None = None) -> int:
    """The console script ``git-deploy``.

    Args:
        argv: what was typed behind the command; None: of this process.

    Returns:
        The exit code.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    operator = Operator()
    try:
        return _run(words, operator)
    except Refusal as refused:
        operator.tell(*refused.lines)
        return refused.status
    except DeployError as error:
        operator.tell(str(error))
    except OSError as error:
        operator.tell(str(from_os(error)))
    except KeyboardInterrupt:
        operator.tell("", "Stopped. What was started is still underway: git deploy finish, sync, or abort")
        return 130
    return refusal.CONFIGURATION


def _run(words: list[str], operator: Operator) -> int:
    parser, subparsers = _parsers()
    if not words:
        parser.print_help()
        return refusal.USAGE
    typed = parser.parse_args(words)
    if typed.command == "help":
        return _show_help(parser, subparsers, typed.subcommand, operator)
    tree = StagingTree(Path.cwd())
    known = settings.read(tree)
    settings.check_umask(known.required_umask, _present_umask(), known.repo)
    run: Command = typed.run
    run(Invocation(typed, Staging(tree, known, datetime.now().astimezone()), operator))
    return 0


Subparsers = dict[str, argparse.ArgumentParser]


def _parsers() -> tuple[argparse.ArgumentParser, Subparsers]:
    epilog = 'See "git deploy help COMMAND" for help on a specific command.'
    parser = argparse.ArgumentParser(
        prog="git deploy", description=_DESCRIPTION, epilog=epilog, add_help=False
    )
    parser.add_argument("-h", "--help", action="help", help=argparse.SUPPRESS)
    group = parser.add_subparsers(metavar="<subcommand>", dest="command")
    found: Subparsers = {}
    for row in sorted(TABLE.rows(), key=lambda row: row.name):
        one = found[row.name] = _subparser(group, row.name, row.summary)
        one.set_defaults(run=row.run)
        for option in row.options:
            option.add(one)
    found["help"] = _subparser(group, "help", "Display help about this program or one of its subcommands.")
    found["help"].add_argument(
        "subcommand", metavar="<subcommand>", nargs="?", help="Display help for <subcommand>."
    )
    return parser, found


def _subparser(group: Any, name: str, text: str) -> argparse.ArgumentParser:
    one: argparse.ArgumentParser = group.add_parser(name, help=text, description=text, add_help=False)
    one.add_argument("-h", "--help", action="help", help=argparse.SUPPRESS)
    return one


def _show_help(
    parser: argparse.ArgumentParser, subparsers: Subparsers, name: str | None, operator: Operator
) -> int:
    if name and name not in subparsers:
        operator.tell(f"'{name}' is not a valid subcommand")
        return refusal.CONFIGURATION
    (subparsers[name] if name else parser).print_help()
    return 0


def _present_umask() -> int:
    """The umask of this process; the kernel tells it only to who sets it."""
    present = os.umask(0o077)
    os.umask(present)
    return present


if __name__ == "__main__":
    sys.exit(main())
