"""What can be typed behind ``git deploy``, and how it ends: the exit code is Trigger's."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from saltdeploy.git.staging_tree import StagingTree
from saltdeploy.lib.errors import DeployError
from saltdeploy.lib.os_errors import from_os
from saltdeploy.trebuchet import commands, refusal, settings
from saltdeploy.trebuchet.commands import Command, Invocation
from saltdeploy.trebuchet.console import Operator
from saltdeploy.trebuchet.refusal import Refusal
from saltdeploy.trebuchet.staging import Staging

_DESCRIPTION = "Git command-line interface for trebuchet"


@dataclass(frozen=True)
class Option:
    """A word that a subcommand takes, as ``argparse`` is told of it."""

    names: tuple[str, ...]
    default: object = None
    metavar: str = ""
    help: str = ""
    may_lack: bool = False

    def add(self, parser: argparse.ArgumentParser) -> None:
        """Tell a parser of it."""
        if self.default is False:
            parser.add_argument(*self.names, action="store_true", help=self.help)
        elif self.names[0].startswith("-"):
            parser.add_argument(
                *self.names, default=self.default, help=self.help, metavar=self.metavar or None
            )
        else:
            nargs = "?" if self.may_lack else None
            parser.add_argument(*self.names, help=self.help, metavar=self.metavar, nargs=nargs)


_TAKE_OVER = Option(("--take-over",), False, help="Go on with a deployment that another user started.")
_WHY = Option(("--message", "-m"), "", "<why>", "What this is about; for the tag and the history.")
_BACK = (
    Option(("tag",), metavar="<tag>", help="Where to; without it you are asked.", may_lack=True),
    _WHY,
    _TAKE_OVER,
)
_SUBCOMMANDS: dict[str, tuple[Command, tuple[Option, ...]]] = {
    "abort": (
        commands.abort,
        (
            Option(("--noreset",), False, help="Do not reset the working tree to the start tag."),
            Option(("--force",), False, help="Abort even if another user started this deployment."),
        ),
    ),
    "finish": (commands.finish, (_TAKE_OVER,)),
    "report": (
        commands.report,
        (
            Option(("action",), metavar="<action>", help="Service action to take: sync|service"),
            Option(("--detailed",), False, help="Show report for all minions rather than a summary"),
        ),
    ),
    "service": (
        commands.service,
        (
            Option(("action",), metavar="<action>", help="Service action to take: stop|start|restart|reload"),
            Option(
                ("--batch",),
                "10%",
                "<batch>",
                "Number or percentage of targets to target for batch processing.",
            ),
        ),
    ),
    "start": (commands.start, ()),
    "sync": (
        commands.sync,
        (
            Option(("--force",), False, help="Force a sync even if nothing changed locally."),
            _WHY,
            _TAKE_OVER,
        ),
    ),
    "revert": (
        commands.revert,
        (*_BACK, Option(("--noreset",), False, help="Do not reset the working tree to the tag.")),
    ),
    "rollback": (commands.rollback, _BACK),
    "show": (commands.show, (Option(("--all",), False, help="All of them, not the last 20."),)),
    "show-tag": (commands.show_tag, ()),
    "log": (commands.log, ()),
    "status": (commands.status, ()),
    "lock": (
        commands.lock,
        (Option(("reason",), metavar="<reason>", help="Why, for those who are refused."),),
    ),
    "unlock": (
        commands.unlock,
        (Option(("--force",), False, help="Unlock even if another user locked; needs a message."), _WHY),
    ),
    "attach": (commands.attach, ()),
}

_OF_HELP = (
    Option(("subcommand",), metavar="<subcommand>", help="Display help for <subcommand>.", may_lack=True),
)


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
        return show_help(parser, subparsers, typed.subcommand, operator)
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
    group = parser.add_subparsers(metavar="<subcommand>", dest="command")
    found: Subparsers = {}
    for name, (run, options) in sorted(_ALL.items()):
        text = (run.__doc__ or "").strip()
        one = found[name] = group.add_parser(name, help=text, description=text, add_help=False)
        one.add_argument("-h", "--help", action="help", help=argparse.SUPPRESS)
        one.set_defaults(run=run)
        for option in options:
            option.add(one)
    return parser, found


def show_help(
    parser: argparse.ArgumentParser, subparsers: Subparsers, name: str | None, operator: Operator
) -> int:
    """Display help about this program or one of its subcommands."""
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


_ALL: Mapping[str, tuple[Callable[..., object], tuple[Option, ...]]] = {
    **_SUBCOMMANDS,
    "help": (show_help, _OF_HELP),
}


if __name__ == "__main__":
    sys.exit(main())
