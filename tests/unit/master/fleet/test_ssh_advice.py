"""What errors tell to do about a host without a minion: nothing that is typed at a minion."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from saltdeploy.lib.errors import DeployError
from saltdeploy.master.fleet.authenticity import Authenticator
from saltdeploy.master.fleet.minions import Fleet
from saltdeploy.master.fleet.ssh.advice import SshAdvice, reaching
from saltdeploy.protocol.orders import FETCH, Order

from tests.unit.master.simulation import JOB, NEW, Simulation

AGAIN = "run the same command again"
ASIDE = {
    "{name}",
    "state.single",
    "sys.list_functions",
}  # of the doors of a minion, which such a host has not


@pytest.mark.parametrize(
    ("advice", "reaches"),
    [
        ("salt 'app1' test.ping; then salt 'app1' deploy.status wiki",
            "salt-run deploy.doctor repo=wiki; then salt-run deploy.status repo=wiki"),
        ("salt 'app1' deploy.verify wiki full=True", "salt-run deploy.verify repo=wiki full=True"),
        ("salt app1 deploy.untracked wiki tells what", "salt-run deploy.plan repo=wiki tells what"),
        ("salt 'app1' deploy.gc; salt 'app1' cmd.run 'df -h /srv'", "salt-run deploy.gc; ssh app1 'df -h /srv'"),
        ("salt 'app1' service.status php-fpm; then its log on that host",
            "ssh app1 'systemctl status php-fpm'; then its log on that host"),
        ("salt 'app1' saltutil.sync_all; or without part=: salt-run deploy.verify repo=wiki",
            f"{AGAIN}, which brings this master's package along; or without part=: salt-run deploy.verify repo=wiki"),
        ("salt '*' saltutil.refresh_pillar wait=True; then deploy again", f"{AGAIN}, with which it gets its pillar anew"),
        ("salt-run pillar.show_pillar app1 && salt 'app1' saltutil.refresh_pillar",
            f"salt-run pillar.show_pillar app1; then {AGAIN}, with which it gets its pillar anew"),
        (
            """salt 'app1' pkg.install pkgs='["rsync", "zstd"]'""",
            "ssh app1, and install there what is missing: rsync, zstd",
        ),
        ("salt 'app1' pkg.install git", "ssh app1, and install there what is missing: git"),
        ("salt 'app1' disk.usage /srv", "ssh app1, and see there what `disk.usage /srv` would tell"),
        ("salt 'app11' deploy.status wiki", "salt 'app11' deploy.status wiki"),
        ("salt-run deploy.report repo=wiki", "salt-run deploy.report repo=wiki"),
        ("", ""),
    ],
)  # fmt: skip
def test_a_command_for_a_minion_becomes_one_that_reaches_the_host(advice: str, reaches: str) -> None:
    assert reaching(advice, "app1", "wiki") == reaches


def told_to_minions(checkout: Path) -> set[str]:
    """The functions that anything here tells to run on a minion."""
    spelled = re.compile(r"salt (?:'\{[^}]+\}'|\{[^}]+\}|'\*') ([\w.{}]+)")
    files = [file for room in ("_utils", "_modules") for file in (checkout / room).rglob("*.py")]
    return {found for file in files for found in spelled.findall(file.read_text())}


def test_whatever_is_told_to_a_minion_anywhere_has_its_own_way_to_such_a_host(checkout: Path) -> None:
    functions = told_to_minions(checkout) - ASIDE
    assert {"saltutil.sync_all", "deploy.status", "service.status"} <= functions
    for function in functions:
        told = reaching(f"salt 'app1' {function} wiki", "app1", "wiki")
        assert "salt 'app1'" not in told
        assert "would tell" not in told, function


def asked(advice: SshAdvice) -> DeployError:
    """What the master tells of a host that never answers."""
    world = Simulation(1, ("web1",))
    fleet = Fleet(world, "20261123120000000000", Authenticator(world.secret), 600.0, print, advice)
    world.minions["web1"].mishaps[JOB] = 1000
    fleet.ask(["web1"], (Order("20261123120000000000", 1, FETCH, NEW),))
    for _ in range(10_000):
        for answer in fleet.hear(0.25).answers:
            assert answer.error is not None
            return answer.error
    raise AssertionError("it waits for ever")


@pytest.mark.parametrize(
    ("hosts", "reaches"), [((), "salt 'web1' test.ping"), (("web1",), "salt-run deploy.doctor")]
)
def test_the_masters_own_advice_about_a_silent_host_reaches_it(hosts: tuple[str, ...], reaches: str) -> None:
    assert asked(SshAdvice(hosts)).next.startswith(reaches)


def test_the_advice_of_a_minion_stays_as_it_is() -> None:
    error = DeployError("no", next="salt 'web1' saltutil.sync_all")
    SshAdvice(("app1",)).mend(error, "web1")
    assert error.next == "salt 'web1' saltutil.sync_all"
