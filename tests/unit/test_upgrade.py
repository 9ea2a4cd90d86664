"""The package is replaced under running processes, file by file, as Salt does it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.old_version import NEW, OLD, extract, make_next

pytestmark = pytest.mark.component("processes of two versions of the package")

SUPPORT = Path(__file__).resolve().parents[1] / "support"

#: what a door does: the package may have been loaded before it was replaced
DOOR = """
import sys
import saltdeploy
if len(sys.argv) > 1:
    print("loaded", flush=True)
    sys.stdin.readline()
saltdeploy.require("{version}")
from saltdeploy.minion import stages
from saltdeploy.master import deploy
for name, module in sorted(sys.modules.items()):
    if name.partition(".")[0] == "saltdeploy":
        print(name, module.__file__)
"""


@pytest.fixture(scope="module")
def old(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The old version, as it was installed."""
    return extract(checkout, tmp_path_factory.mktemp("old")) / "_utils"


@pytest.fixture
def utils(old: Path, tmp_path: Path) -> Path:
    """Where Salt keeps what it has synced; the old version at first."""
    return Path(shutil.copytree(old, tmp_path / "utils"))


def in_order(new: Path) -> list[Path]:
    """The files of the new version, in the order in which Salt copies them."""
    return sorted((path.relative_to(new) for path in new.rglob("*.py")), key=str)


def copy(files: list[Path], new: Path, utils: Path) -> None:
    for file in files:
        (utils / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(new / file, utils / file)


def door(utils: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-B", "-c", DOOR.format(version=NEW), *arguments]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, **pipes, text=True, env={"PYTHONPATH": str(utils)})  # type: ignore[call-overload, no-any-return]


def test_no_file_of_the_package_is_copied_after_the_one_that_says_so(checkout: Path) -> None:
    assert in_order(checkout / "_utils")[-1] == Path("saltdeploy", "written_last.py")


@pytest.mark.parametrize(
    "arguments", [(), ("loaded before",)], ids=["a new process", "one with the old package"]
)
@pytest.mark.parametrize("share", [0.0, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99])
def test_a_door_that_meets_half_a_package_says_what_to_do(
    share: float, arguments: tuple[str, ...], checkout: Path, utils: Path
) -> None:
    new = checkout / "_utils"
    files = in_order(new)
    process = door(utils, *arguments)
    if arguments:
        assert process.stdout is not None
        assert process.stdout.readline() == "loaded\n"
    else:
        process.kill()
    copy(files[: int(share * len(files))], new, utils)
    process = process if arguments else door(utils)
    _, said = process.communicate("go on\n")
    last = said.strip().splitlines()[-1]
    assert last.startswith(("ImportError: ", "saltdeploy.PackageReplaced: "))
    assert "Next: " in last
    assert "salt-run saltutil.sync_all; salt '*' saltutil.sync_all" in last


@pytest.mark.parametrize(
    "missing", ["minion/stages.py", "lib/errors.py", "master/deploy.py", "config/origin.py"]
)
def test_a_door_names_the_file_that_a_sync_by_an_old_list_has_not_copied(
    missing: str, checkout: Path, tmp_path: Path
) -> None:
    """Who syncs twice within 20 seconds gets the new text of old files, and no new file."""
    new, utils = checkout / "_utils", tmp_path / "utils"
    copy([file for file in in_order(new) if file != Path("saltdeploy", missing)], new, utils)
    _, said = door(utils).communicate()
    last = said.strip().splitlines()[-1]
    module = f"saltdeploy.{missing.removesuffix('.py').replace('/', '.')}"
    assert last.startswith(
        f"saltdeploy.PackageReplaced: the package saltdeploy {NEW} is here without its module {module}. "
    )
    assert "salt '*' saltutil.sync_all); twenty seconds after the last time" in last


@pytest.mark.parametrize(
    "arguments", [(), ("loaded before",)], ids=["a new process", "one with the old package"]
)
def test_what_is_left_of_the_flat_modules_is_in_nobodys_way(
    arguments: tuple[str, ...], checkout: Path, utils: Path
) -> None:
    """With ``clean_dynamic_modules: False`` Salt deletes nothing: ``config.py`` stays beside ``config/``."""
    subprocess.run([sys.executable, "-m", "compileall", "-q", "-b", str(utils)], check=True)  # .pyc as well
    new = checkout / "_utils"
    process = door(utils, *arguments)
    if arguments:
        assert process.stdout is not None
        assert process.stdout.readline() == "loaded\n"
    copy(in_order(new), new, utils)
    if not arguments:
        process.kill()
        process = door(utils)
    listed, said = process.communicate("go on\n")
    assert process.returncode == 0, said
    assert (utils / "saltdeploy" / "config.py").exists()
    assert f"saltdeploy.config {utils}/saltdeploy/config/__init__.py\n" in listed
    loaded = [Path(line.split()[1]).relative_to(utils) for line in listed.splitlines()]
    assert [str(path) for path in loaded if not (new / path).exists()] == []


@pytest.mark.parametrize(("clean", "why"), [(True, "no seeder runs: "), (False, "")], ids=["clean", "stale"])
def test_a_fetch_of_the_old_version_under_whom_the_seeder_is_replaced_goes_on_without_the_swarm(
    clean: bool, why: str, checkout: Path, utils: Path, tmp_path: Path
) -> None:
    new = checkout / "_utils"
    host = tmp_path / "host"
    host.mkdir()
    command = [sys.executable, "-B", str(SUPPORT / "old_fetch.py"), str(utils), str(host)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    if clean:
        shutil.rmtree(utils)
    copy(in_order(new), new, utils)
    said, went_wrong = process.communicate("go on\n")
    for state in host.glob("swarm/state.json"):  # what is left of the old package may still be a seeder
        os.kill(json.loads(state.read_text())["pid"], signal.SIGKILL)
    assert process.returncode == 0, went_wrong
    facts = json.loads(said)
    assert facts["source"] == "master"
    assert facts["left"].startswith(f"swarm: {why}")
    assert hashlib.sha256((host / "payload").read_bytes()).hexdigest() == facts["payload"]


def test_the_old_version_is_what_it_says(old: Path) -> None:
    assert f'__version__ = "{OLD}"' in (old / "saltdeploy" / "__init__.py").read_text()


#: a process that has begun with the package, and goes on when it was replaced
LATE = """
import sys
from saltdeploy.config import upfront
{first}
print("loaded", flush=True)
sys.stdin.readline()
try:
    from saltdeploy.master.planning import preview
    from saltdeploy.master.upkeep import gc
except ImportError as error:
    print(type(error).__name__, error)
else:
    print("loads")
"""


def goes_on(first: str, new: Path, utils: Path, files: list[Path]) -> str:
    """What a process says that loads more of the package, when these files of it have been replaced."""
    command = [sys.executable, "-B", "-c", LATE.format(first=first)]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={"PYTHONPATH": str(utils)},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "loaded\n"
    copy(files, new, utils)
    return process.communicate("go on\n")[0].strip()


@pytest.fixture(scope="module")
def following(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The version after this one."""
    return make_next(checkout, tmp_path_factory.mktemp("next")) / "_utils"


@pytest.fixture
def present(checkout: Path, tmp_path: Path) -> Path:
    """Where Salt keeps what it has synced; this version at first."""
    return Path(shutil.copytree(checkout / "_utils", tmp_path / "present"))


@pytest.mark.parametrize("share", [0.05, 0.5, 0.99, 1.0])
def test_a_command_does_not_load_the_next_version_beside_what_it_has(
    share: float, following: Path, present: Path
) -> None:
    files = in_order(following)
    said = goes_on("", following, present, files[: round(share * len(files))])
    assert said.startswith("PackageReplaced the package saltdeploy was replaced under this process")
    assert f"has {NEW} in memory. Next: " in said


def test_what_was_loaded_up_front_goes_on_in_the_old_version(following: Path, present: Path) -> None:
    said = goes_on("upfront.load(upfront.RUNNER)", following, present, in_order(following))
    assert said == "loads"


def test_a_sync_that_replaces_nothing_of_the_package_is_in_nobodys_way(checkout: Path, present: Path) -> None:
    files = [Path("saltdeploy", "__init__.py"), Path("saltdeploy", "written_last.py")]
    assert goes_on("", checkout / "_utils", present, files) == "loads"
