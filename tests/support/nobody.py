"""Something done by a user without any right: in a fork of this process, or by a command of theirs. The caller has to be root.

The interpreter and the checkout may lie where others may not look (as below /root). A command sees them all the same, in a
mount namespace where nothing else lies in those directories.
"""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
_NOBODY = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")


@dataclass(frozen=True)
class Said:
    """The exit status of a process, and what it wrote."""

    status: int
    out: str
    err: str


def as_nobody(act: Callable[[], int]) -> Said:
    """Do something as the user ``nobody``; the caller has to be root."""
    user = pwd.getpwnam("nobody")
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        pid = os.fork()
        if pid == 0:
            status = 99
            try:
                os.dup2(out.fileno(), 1)
                os.dup2(err.fileno(), 2)
                sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)
                os.setgroups([])
                os.setgid(user.pw_gid)
                os.setuid(user.pw_uid)
                status = act()
            except SystemExit as end:
                status = int(end.code or 0)
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(status)
        _, ended = os.waitpid(pid, 0)
        return Said(os.waitstatus_to_exitcode(ended), *(_text(each) for each in (out.fileno(), err.fileno())))


def typed_by_nobody(words: Iterable[str], **environment: str) -> Said:
    """A command that the user ``nobody`` types, to its end."""
    told = [f"{key}={value}" for key, value in environment.items()]
    inner = shlex.join([*_NOBODY, "--", shutil.which("env") or "env", *told, *words])
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-ec", f"{_opening()}exec {inner}"],
        env={**_kept(os.environ), "HOME": "/nonexistent"},
        cwd="/",
        capture_output=True,
        text=True,
    )
    return Said(done.returncode, done.stdout, done.stderr)


def let_pass(*places: Path) -> None:
    """Let others come to these paths of a test's own, as to those of a real master."""
    for place in places:
        for directory in (place, *place.parents):
            own = directory.stat().st_uid == os.getuid() and directory.is_relative_to(tempfile.gettempdir())
            if own and directory.is_dir() and directory != Path(tempfile.gettempdir()):
                directory.chmod(directory.stat().st_mode | 0o011)


def _opening() -> str:
    """The commands after which others may come to the interpreter and to the checkout."""
    lines = []
    for number, place in enumerate(sorted({Path(sys.base_prefix), Path(sys.prefix).resolve(), CHECKOUT})):
        shut = [each for each in reversed(place.parents) if not each.stat().st_mode & 0o001]
        if shut:
            there, hold, kept = shlex.quote(str(place)), f"/mnt/{number}", shlex.quote(str(shut[0]))
            lines += ["mount -t tmpfs none /mnt"] if not lines else []
            lines += [f"mkdir {hold} && mount --bind {there} {hold}"]
            lines += [
                f"mount -t tmpfs -o mode=0755 none {kept}; mkdir -p {there}; mount --move {hold} {there}"
            ]
    return "".join(f"{line}; " for line in lines)


def _kept(variables: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in variables.items() if not key.startswith(("SUDO_", "PYTHON"))}


def _text(number: int) -> str:
    return os.pread(number, 1_000_000, 0).decode()
