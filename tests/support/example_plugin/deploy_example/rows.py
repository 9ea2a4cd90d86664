"""What saltdeploy has to know of them. A master reads it for the pillar; what does the work is imported when it is used."""

from __future__ import annotations

from saltdeploy.config import values
from saltdeploy.config.check_kinds import CheckKind
from saltdeploy.config.pointers import PointerKind
from saltdeploy.config.signal_kinds import SignalKind
from saltdeploy.config.tag_schemes import TagSchemeRow
from saltdeploy.config.transports import TransportRow

MOUNTED = TransportRow(
    name="mounted", does="deploy_example.mounted:Mounted", kinds=("trees",), sized=True, url="url"
)
EXISTS = CheckKind(
    name="exists",
    run="deploy_example.exists:exists",
    by_hand="deploy_example.exists:exists_by_hand",
    keys={"path": values.text},
    required=("path",),
)
STUB = PointerKind(
    "stub",
    read="deploy_example.stubs:read",
    places="deploy_example.stubs:places",
    upstream="deploy_example.stubs:upstream",
    advice="run stub-push",
)
TOUCH = SignalKind(
    "touch", run="deploy_example.touch:touch", keys={"path": values.absolute}, required=("path",)
)
WEEKLY = TagSchemeRow("weekly", "deploy_example.weekly:weekly", "2026-W48.1")
