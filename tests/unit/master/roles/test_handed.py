"""Who asks reaches the process that carries their wish out, and nobody can pretend to have been sent so."""

from __future__ import annotations

from pathlib import Path

import pytest
from saltdeploy.config.roles import HANDED
from saltdeploy.master.roles.asker import OF_MINION, Asker
from saltdeploy.master.roles.handed import handing, taken

MINION = Asker(OF_MINION, "deploy1", "peer_run")


def test_the_other_process_knows_who_asks_once(tmp_path: Path) -> None:
    with handing(MINION, tmp_path) as environment:
        (token,) = environment.values()
        assert taken(environment, tmp_path) == MINION
        assert environment == {}
        assert taken({HANDED: token}, tmp_path) is None
    assert list((tmp_path / "asked").iterdir()) == []


def test_what_nobody_has_taken_is_gone_afterwards(tmp_path: Path) -> None:
    with handing(MINION, tmp_path) as environment:
        pass
    assert taken(environment, tmp_path) is None
    assert (tmp_path / "asked").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("forged", ["0" * 32, "../../forged", "", "root", "/etc/passwd"])
def test_a_name_that_the_master_has_not_made_leads_nowhere(tmp_path: Path, forged: str) -> None:
    (tmp_path / "forged").write_text('{"kind": "person", "name": "root", "door": "x"}')
    assert taken({HANDED: forged}, tmp_path) is None
