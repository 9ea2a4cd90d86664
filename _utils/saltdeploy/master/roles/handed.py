"""Who asks, handed from one process of the master to another that carries their wish out: by a file that only the master can make.

The variable of the environment that leads to it is a name and nothing else: whoever sets it to a name that the master has not
made is who the kernel says they are.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from collections.abc import Iterator, MutableMapping
from pathlib import Path

from saltdeploy.config.roles import HANDED
from saltdeploy.lib import disk, durable
from saltdeploy.master.roles.asker import Asker

_TOKEN = re.compile(r"[0-9a-f]{32}")


@contextlib.contextmanager
def handing(asker: Asker, root: Path) -> Iterator[dict[str, str]]:
    """What the environment of the other process needs; it must have read it when this is left.

    Args:
        root: the master's directory for deploys.
    """
    token = secrets.token_hex(16)
    path = durable.private_directory(root / "asked") / token
    disk.write_json(path, asker.to_wire(), mode=0o600)
    try:
        yield {HANDED: token}
    finally:
        path.unlink(missing_ok=True)


def taken(environment: MutableMapping[str, str], root: Path) -> Asker | None:
    """Who was handed over to this process; None where nobody was. It is taken once.

    Args:
        environment: of this process; the variable is taken out.
    """
    token = environment.pop(HANDED, "")
    if not _TOKEN.fullmatch(token):
        return None
    path = root / "asked" / token
    with contextlib.suppress(FileNotFoundError, PermissionError):
        if path.parent.stat().st_uid != os.geteuid():
            return None
        known: dict[str, str] = durable.read(path, durable.fields(kind=str, name=str, door=str), {})
        path.unlink(missing_ok=True)
        if known:
            return Asker(known["kind"], known["name"], known["door"])
    return None
