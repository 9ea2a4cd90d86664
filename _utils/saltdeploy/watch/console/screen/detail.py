"""One host with all that is known of it: each of its stages, why it failed and what to do, and its lines of the log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from saltdeploy.lib.text import size
from saltdeploy.watch.console.screen import log_lines
from saltdeploy.watch.console.screen.host_rows import HostRow
from saltdeploy.watch.console.screen.log import ScreenLog
from saltdeploy.watch.stage import HostProgress, Stage
from saltdeploy.watch.state import DeployView
from saltdeploy.watch.text import clock

if TYPE_CHECKING:
    from saltdeploy.watch.console.screen.painter import Line


def lines(
    log: ScreenLog,
    name: str,
    rows: Sequence[HostRow],
    title: Callable[[str, int, bool], list[Line]],
    draw: Callable[[RenderableType, int], list[Line]],
    width: int,
    room: int,
) -> list[Line]:
    """What takes the place of the lists while a host is looked at."""
    group = next((row.group for row in rows if row.name == name), "")
    head = title(f"{name}, group {group}" if group else name, width, True)
    stages = draw(_stages(log.state, name), width)
    under = title("Log of this host", width, False)
    left = room - len(head) - len(stages) - len(under)
    told = log_lines.newest(log.of_host(name), 0, draw, width, left)
    return [*head, *stages, *under, *told][:room]


def _stages(state: DeployView, name: str) -> RenderableType:
    found = [(stage, stage.hosts[name]) for stage in state.stages.values() if name in stage.hosts]
    if not found:
        return Text("It was not asked for anything yet.", style="dim")
    grid = Table.grid(padding=(0, 2, 0, 0))
    for _ in range(4):
        grid.add_column(no_wrap=True)
    for stage, host in found:
        since = clock((host.ended or state.now) - host.since) if host.status is None or host.ended else ""
        received = f"{size(host.bytes)} received" if host.bytes else ""
        grid.add_row(stage.title, Text(_word(stage, host), style=_style(host)), since, received)
    return grid


def _word(stage: Stage, host: HostProgress) -> str:
    if host.status is None:
        percent = "" if host.percent is None else f" {host.percent}%"
        return "not done" if stage.ended else f"{host.step or host.phase or 'no sign yet'}{percent}"
    if host.status:
        return "failed" if host.ended else "no answer"
    return "had it already" if host.unchanged else "done"


def _style(host: HostProgress) -> str:
    return "cyan" if host.status is None else "bold red" if host.status else "green"
