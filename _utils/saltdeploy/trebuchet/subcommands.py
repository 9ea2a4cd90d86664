"""The table of subcommands: what is typed, what it takes, what does it. Packages may add rows.

A package adds one by an entry point of the group ``saltdeploy.git_deploy``, which leads to a :class:`Subcommand`.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from saltdeploy.config.plugins import Table
from saltdeploy.trebuchet import commands
from saltdeploy.trebuchet.commands import Command


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


@dataclass(frozen=True)
class Subcommand:
    """One row.

    Attributes:
        name: what is typed.
        run: what does it; its docstring is the help.
        options: what it takes.
    """

    name: str
    run: Command
    options: tuple[Option, ...] = ()

    @property
    def summary(self) -> str:
        """What ``help`` shows."""
        return (self.run.__doc__ or "").strip()


_TAKE_OVER = Option(("--take-over",), False, help="Go on with a deployment that another user started.")
_WHY = Option(("--message", "-m"), "", "<why>", "What this is about; for the tag and the history.")
_BACK = (
    Option(("tag",), metavar="<tag>", help="Where to; without it you are asked.", may_lack=True),
    _WHY,
    _TAKE_OVER,
)
TABLE = Table(
    "subcommand",
    "saltdeploy.git_deploy",
    Subcommand,
    (
        Subcommand(
            "abort",
            commands.abort,
            (
                Option(("--noreset",), False, help="Do not reset the working tree to the start tag."),
                Option(("--force",), False, help="Abort even if another user started this deployment."),
            ),
        ),
        Subcommand("attach", commands.attach),
        Subcommand("finish", commands.finish, (_TAKE_OVER,)),
        Subcommand(
            "hotfix",
            commands.hotfix,
            (
                Option(
                    ("tag",), metavar="<tag>", help="Of what; without it what was synced last.", may_lack=True
                ),
            ),
        ),
        Subcommand(
            "lock",
            commands.lock,
            (Option(("reason",), metavar="<reason>", help="Why, for those who are refused."),),
        ),
        Subcommand("log", commands.log),
        Subcommand("login", commands.login),
        Subcommand(
            "report",
            commands.report,
            (
                Option(("action",), metavar="<action>", help="Service action to take: sync|service"),
                Option(("--detailed",), False, help="Show report for all minions rather than a summary"),
            ),
        ),
        Subcommand(
            "revert",
            commands.revert,
            (*_BACK, Option(("--noreset",), False, help="Do not reset the working tree to the tag.")),
        ),
        Subcommand("rollback", commands.rollback, _BACK),
        Subcommand(
            "service",
            commands.service,
            (
                Option(
                    ("action",), metavar="<action>", help="Service action to take: stop|start|restart|reload"
                ),
                Option(
                    ("--batch",),
                    "10%",
                    "<batch>",
                    "Number or percentage of targets to target for batch processing.",
                ),
            ),
        ),
        Subcommand("show", commands.show, (Option(("--all",), False, help="All of them, not the last 20."),)),
        Subcommand("show-tag", commands.show_tag),
        Subcommand("start", commands.start),
        Subcommand("status", commands.status),
        Subcommand(
            "sync",
            commands.sync,
            (
                Option(("--force",), False, help="Force a sync even if nothing changed locally."),
                _WHY,
                _TAKE_OVER,
            ),
        ),
        Subcommand(
            "unlock",
            commands.unlock,
            (Option(("--force",), False, help="Unlock even if another user locked; needs a message."), _WHY),
        ),
    ),
)
