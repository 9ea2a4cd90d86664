"""Transports and checks that packages of others bring: found by their entry points, and a broken one harms nobody else."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest
from saltdeploy import transports
from saltdeploy.config import check_kinds, checks, plugins, values
from saltdeploy.config import transports as config_transports
from saltdeploy.config.values import Wrong
from saltdeploy.lib.errors import ConfigError
from saltdeploy.staging.next_tag import next_tag

from tests.support import plugins as packages
from tests.support.repositories import repo

TRANSPORTS, CHECKS = config_transports.GROUP, check_kinds.GROUP
ROW = "from saltdeploy.config.transports import TransportRow\n"
GOOD = f"{ROW}row = TransportRow('other', 'good_one:Class', swarm=True)\nclass Class: pass\n"


BAD = f"""{ROW}
class half: kinds = ("bad",)
class text: does, kinds = "a:b", "bad"
late = TransportRow("x", "bad_one.nowhere:Class")
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    site = packages.install(tmp_path_factory.mktemp("plugins") / "site", packages.EXAMPLE)
    packages.put(site, "good-one", GOOD, {TRANSPORTS: {"good": "row", "tar": "row"}})
    broken = {"half": "half", "text": "text", "late": "late", "gone": "nothing", "Odd": "late"}
    packages.put(site, "bad-one", BAD, {TRANSPORTS: broken, CHECKS: {"half": "half"}})
    packages.put(site, "ugly-one", "raise RuntimeError('no luck')", {TRANSPORTS: {"ugly": "row"}})
    for name in ("twin", "other-twin"):
        packages.put(site, name, GOOD, {TRANSPORTS: {"double": "row"}})
    return site


@pytest.fixture
def beside(installed: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The packages are installed beside ours, as long as the test runs."""
    # Salt keeps what is logged, and writes it when pytest has closed the stream
    monkeypatch.setattr(plugins.log, "propagate", False)
    with packages.beside(installed, monkeypatch):
        yield installed


def test_the_pillar_takes_a_transport_of_a_package(beside: Path) -> None:
    assert repo(Path("/srv/demo"), transport="mounted").delivery.transport == "mounted"
    assert repo(Path("/srv/demo"), transport="good+swarm").delivery.swarm.wanted
    with pytest.raises(ConfigError, match="layout overlay does not support what transport mounted brings"):
        repo(Path("/srv/demo"), transport="mounted", layout="overlay")


def test_a_package_that_is_not_installed_brings_nothing() -> None:
    with pytest.raises(ConfigError, match="must be one of bundle"):
        repo(Path("/srv/demo"), transport="mounted")


def test_what_packages_bring_is_listed_behind_what_is_built_in(beside: Path) -> None:
    with pytest.raises(ConfigError, match="no transport 'pigeon'") as caught:
        transports.of("pigeon")
    names = (
        "bundle, git, tar, delta, rsync, squashfs, good, late, mounted, auto, swarm, bundle+swarm, tar+swarm"
    )
    assert caught.value.next.startswith(f"choose one of {names}")
    with pytest.raises(
        Wrong, match="must be one of command, script, nrpe, http, port, salt, metric, exists$"
    ):
        check_kinds.name_of_kind("magic")


def test_the_pillar_takes_a_check_of_a_package_with_its_keys(beside: Path) -> None:
    (check,) = checks.checks({"x": {"type": "exists", "after": "fetch", "path": "index.html"}})
    assert (check.kind, check.options, check.master) == ("exists", (("path", "index.html"),), False)
    with pytest.raises(Wrong, match="needs path"):
        checks.checks({"x": {"type": "exists", "after": "fetch"}})
    with pytest.raises(Wrong, match="'url' is not a key that we know; the keys are .*path"):
        checks.checks({"x": {"type": "exists", "after": "fetch", "path": "a", "url": "b"}})


def test_a_package_cannot_replace_what_is_built_in(beside: Path) -> None:
    assert transports.of("tar").__module__ == "saltdeploy.transports.tar"
    assert config_transports.TABLE.names().count("tar") == 1


def test_auto_chooses_from_what_is_built_in(beside: Path) -> None:
    """The master does not know which hosts have a package."""
    assert config_transports.candidates("slots") == ("bundle", "tar", "delta", "squashfs")


@pytest.mark.parametrize(
    ("name", "package", "why"),
    [
        ("half", "bad-one 0.1", "TypeError: .*'does'"),
        ("text", "bad-one 0.1", "TypeError: kinds, .*must be tuples"),
        ("gone", "bad-one 0.1", "AttributeError: .*nothing"),
        ("ugly", "ugly-one 0.1", "RuntimeError: no luck"),
        ("double", "other-twin 0.1 and by twin 0.1|twin 0.1 and by other-twin 0.1", ""),
    ],
)
def test_a_package_that_is_broken_is_named(beside: Path, name: str, package: str, why: str) -> None:
    with pytest.raises(ConfigError, match=f"transport {name} .*({package}).*{why}"):
        repo(Path("/srv/demo"), transport=name)
    with pytest.raises(ConfigError, match=f"transport {name} .*({package}).*{why}") as caught:
        transports.of(name)
    assert "uninstall" in caught.value.next


def test_a_class_that_is_not_there_is_told_when_it_is_wanted(beside: Path) -> None:
    assert repo(Path("/srv/demo"), transport="late")
    with pytest.raises(
        ConfigError, match="transport late cannot be used: bad_one.nowhere:Class: ModuleNotFound"
    ):
        transports.of("late")


def test_a_broken_kind_of_check_is_named_where_it_stands_in_the_pillar(beside: Path) -> None:
    with pytest.raises(ConfigError, match="check half of package bad-one 0.1 cannot be used") as caught:
        repo(Path("/srv/demo"), checks={"x": {"type": "half", "after": "fetch"}})
    assert caught.value.path == "repo_config:demo:checks:x:type"


def test_the_log_says_which_packages_are_left_out_of_a_list(
    beside: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plugins.log.addHandler(caplog.handler)
    try:
        config_transports.choices()
    finally:
        plugins.log.removeHandler(caplog.handler)
    left_out = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert [message.split()[3] for message in left_out] == ["double", "gone", "half", "text", "ugly"]


def test_nothing_of_a_package_is_imported_for_a_name_that_is_built_in(beside: Path) -> None:
    assert repo(
        Path("/srv/demo"), transport="delta+swarm", checks={"x": {"command": "true", "after": "fetch"}}
    )
    assert transports.of("tar")
    assert not {"deploy_example", "good_one", "bad_one", "ugly_one"} & set(sys.modules)


def _python(code: str, *places: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, places))},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_a_package_is_found_where_ours_was_synced_and_not_installed(installed: Path, checkout: Path) -> None:
    asked = "from saltdeploy import transports; print(type(transports.of('mounted')).__module__)"
    assert _python(asked, checkout / "_utils", installed) == "deploy_example.mounted\n"


def test_a_process_that_loads_our_package_anew_loads_those_of_others_anew(
    installed: Path, checkout: Path
) -> None:
    """As the doors do when another version was synced: the new code must know the errors that a transport raises."""
    asked = """
import sys
from saltdeploy import transports
old = type(transports.of("mounted"))
for name in [name for name in sys.modules if name.split(".")[0] == "saltdeploy"]:
    del sys.modules[name]
from saltdeploy import transports
new = type(transports.of("mounted"))
print(old is new, transports.Transport in old.__mro__, transports.Transport in new.__mro__)
"""
    assert _python(asked, checkout / "_utils", installed) == "False False True\n"


def test_a_row_may_come_without_the_class_of_this_package() -> None:
    """So a row that was made with another version of the package, with other fields, is one."""

    class Plain:
        does = "a:b"
        kinds = ("x",)
        field_of_a_later_version = 1

    class Point:
        name, value, module, dist = "plain", "logging:Plain", "logging", None

        def load(self) -> type:
            return Plain

    row = config_transports.TABLE._load(Point())  # type: ignore[arg-type]
    assert (row.name, row.does, row.kinds, row.brings) == ("plain", "a:b", ("x",), "files")
    assert values.text(row.name)


def test_the_pillar_takes_a_tag_scheme_of_a_package_and_the_next_tag_follows_it(beside: Path) -> None:
    found = repo(Path("/srv/demo"), tag_scheme="weekly")
    now = datetime(2026, 11, 23, tzinfo=timezone.utc)
    assert next_tag("demo", ["2026-W48.9", "2026-W48.10"], found.staging.tag_scheme, "", now) == "2026-W48.11"


def test_a_tag_scheme_that_nobody_brings_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ConfigError, match="must be one of release, semver, scap, sync, timestamp"):
        repo(Path("/srv/demo"), tag_scheme="weekly")
