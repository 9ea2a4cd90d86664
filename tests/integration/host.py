"""One minion, its disk and the programs that it finds."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
from saltfactories.daemons.minion import SaltMinion


class Host:
    """A minion and its disk.

    Args:
        daemon: the minion, not started yet.
        directory: where disks lie.
        programs: what it finds besides git (:func:`programs_but_git`).
    """

    def __init__(self, daemon: SaltMinion, directory: Path, programs: Path) -> None:
        self.disk = directory / "disks" / daemon.id
        self.disk.mkdir(parents=True)
        self.config = Path(daemon.config_file)
        self._daemon = daemon
        self._programs = directory / f"programs-{daemon.id}"
        self._programs.mkdir()
        (self._programs / "git").symlink_to(_git())
        daemon.environ = {**daemon.environ, "PATH": f"{self._programs}:{programs}"}

    def start(self) -> None:
        self._daemon.start()

    @property
    def salt_call(self) -> list[str]:
        """The words of ``salt-call`` on this host."""
        return list(self._daemon.salt_call_cli(timeout=60).cmdline("no.function")[:-1])

    def kill(self) -> None:
        """SIGKILL to the minion and to all of its jobs, as a power cut would."""
        self._daemon.terminate()

    @contextlib.contextmanager
    def down(self) -> Iterator[None]:
        """Without the minion; it is up again afterwards."""
        self.kill()
        try:
            yield
        finally:
            self.start()

    @contextlib.contextmanager
    def silent(self) -> Iterator[None]:
        """With a minion that is there and does not move."""
        processes = self._processes()
        for process in processes:
            process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            for process in processes:
                with contextlib.suppress(psutil.NoSuchProcess):  # it had ended, and its parent goes on again
                    process.send_signal(signal.SIGCONT)

    def jobs(self) -> list[psutil.Process]:
        """The processes of the jobs that run on it, each before what it has started."""
        return self._processes()[1:]

    @property
    def record(self) -> Path:
        """Where it keeps what it did."""
        return Path(self._daemon.config["cachedir"], "deploy")

    def _processes(self) -> list[psutil.Process]:
        minion = psutil.Process(self._daemon.pid)
        return [minion, *minion.children(recursive=True)]

    @contextlib.contextmanager
    def program(self, name: str, script: str = "") -> Iterator[None]:
        """With another program of this name on the minion's PATH, or without it."""
        place = self._programs / name
        kept = place.with_name(f"{name}.kept")
        place.rename(kept)
        try:
            if script:
                place.write_text(script)
                place.chmod(0o755)
            yield
        finally:
            kept.replace(place)


def _git() -> str:
    found = shutil.which("git")
    assert found, "git is not installed; these tests need it"
    return found


def programs_but_git(directory: Path) -> Path:
    """Every program of this machine but git, so that git can be taken from one minion alone."""
    directory.mkdir()
    for place in os.environ["PATH"].split(os.pathsep):
        for program in Path(place).glob("*"):
            link = directory / program.name
            if program.name != "git" and not os.path.lexists(link):
                link.symlink_to(program)
    return directory
