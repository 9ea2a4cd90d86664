"""What a host does of one repo in a stage: an order, and this host's configuration of its repo."""

from __future__ import annotations

from dataclasses import dataclass

from saltdeploy.config import Repo
from saltdeploy.orders import Order


@dataclass(frozen=True)
class Task:
    """See the module. A stage may be about several; they are done as one."""

    order: Order
    repo: Repo
