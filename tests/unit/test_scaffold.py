"""The checkout as a whole: what a wheel carries, where Salt finds the doors, what the house rules catch."""

from __future__ import annotations

import configparser
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import jinja2
import pytest
import saltdeploy
import yaml
from saltdeploy import config, loader

from tools import house_rules

SHIPPED = ("LICENSE", "README.md", "setup.cfg", "pyproject.toml", "_utils")
DEMO = {"hosts": "/somewhere/hosts", "source": "/somewhere/site", "url": "file:///somewhere/site"}


@pytest.fixture(scope="module")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """A wheel, built from a copy since building leaves files behind."""
    copy = tmp_path_factory.mktemp("checkout")
    out = tmp_path_factory.mktemp("wheel")
    for path in [*(checkout / name for name in SHIPPED), *(checkout / f"_{kind}" for kind in loader.KINDS)]:
        if path.is_dir():
            shutil.copytree(path, copy / path.name, ignore=shutil.ignore_patterns("__pycache__"))
        elif path.exists():
            shutil.copy(path, copy)
    pip = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run([*pip, "--wheel-dir", str(out), str(copy)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = out.glob("*.whl")
    return zipfile.ZipFile(built)


def test_a_wheel_carries_every_module_of_the_package_and_every_door(
    wheel: zipfile.ZipFile, checkout: Path
) -> None:
    package = checkout / "_utils" / "saltdeploy"
    wanted = {f"saltdeploy/{file.relative_to(package)}" for file in package.rglob("*.py")}
    for kind in loader.KINDS:
        wanted |= {f"saltdeploy/{kind}/{door.name}" for door in (checkout / f"_{kind}").glob("*.py")}
    assert wanted == {name for name in wheel.namelist() if name.endswith(".py")}


def test_a_wheel_tells_salt_where_its_doors_are(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    wheel.extractall(tmp_path)
    (entry_points,) = tmp_path.glob("*.dist-info/entry_points.txt")
    parser = configparser.ConfigParser()
    parser.read(entry_points)
    assert dict(parser["salt.loader"]) == {"deploy": "saltdeploy.loader:dirs"}
    spec = importlib.util.spec_from_file_location("installed", tmp_path / "saltdeploy" / "loader.py")
    assert spec and spec.loader
    installed = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(installed)
    assert installed.dirs() == {kind: [str(tmp_path / "saltdeploy" / kind)] for kind in loader.KINDS}


def test_a_wheel_has_the_version_of_the_package_and_the_licence(wheel: zipfile.ZipFile) -> None:
    (metadata,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    text = wheel.read(metadata).decode()
    assert f"Version: {saltdeploy.__version__}\n" in text
    assert "Apache-2.0" in text
    assert any(name.endswith("LICENSE") for name in wheel.namelist())


def test_an_editable_install_finds_the_doors_in_the_checkout(checkout: Path) -> None:
    assert loader.dirs() == {kind: [str(checkout / f"_{kind}")] for kind in loader.KINDS}


def test_every_directory_of_doors_is_one_that_the_loader_tells_of(checkout: Path) -> None:
    doors = {path.name for path in checkout.glob("_*") if list(path.glob("*.py"))}
    assert doors == {f"_{kind}" for kind in loader.KINDS}


def test_no_directory_of_the_checkout_hides_a_directory_of_doors(checkout: Path) -> None:
    """Salt looks for ``states`` before ``_states``; ``pillar`` has ``pillar_dirs`` to help it."""
    hiding = {kind for kind in loader.KINDS if (checkout / kind).exists()}
    assert hiding <= {"pillar"}


# -- the example pillar ---------------------------------------------------------------------------------


def render(checkout: Path, opts: dict[str, object]) -> dict[str, dict[str, object]]:
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(checkout / "pillar"))
    environment.filters["json"] = json.dumps
    return yaml.safe_load(environment.get_template("deploy.sls").render(opts={"id": "web1", **opts}))


@pytest.mark.parametrize("opts", [{}, {"deploy_demo": DEMO}], ids=["as it is", "in the demo"])
def test_every_repo_of_the_example_pillar_is_legal(checkout: Path, opts: dict[str, object]) -> None:
    pillar = render(checkout, opts)
    names = config.repo_names(pillar)
    assert "demo" in names
    for name in names:
        assert config.load(pillar, name).name == name


def test_the_example_pillar_without_the_demo_has_usual_paths(checkout: Path) -> None:
    pillar = render(checkout, {})
    assert config.load(pillar, "demo").location == Path("/srv/www/demo")
    assert config.load(pillar, "test/testrepo").location == Path("/srv/deployment/test/testrepo")


def test_the_demo_gives_each_host_a_disk_of_its_own(checkout: Path) -> None:
    repo = config.load(render(checkout, {"deploy_demo": DEMO}), "demo")
    assert repo.location == Path("/somewhere/hosts/web1/srv/www/demo")
    assert (repo.source, repo.url) == (DEMO["source"], DEMO["url"])


@pytest.mark.parametrize("key", [*config.DEPLOYMENT_KEYS, *config.REPO_KEYS])
def test_the_example_pillar_shows_every_key(checkout: Path, key: str) -> None:
    text = (checkout / "pillar" / "deploy.sls").read_text()
    assert re.search(rf"^ +(# )?{key}:", text, re.MULTILINE)


def test_the_example_pillar_shows_the_defaults_of_the_keys_that_it_leaves_out(checkout: Path) -> None:
    text = (checkout / "pillar" / "deploy.sls").read_text()
    for key, shown in re.findall(r"^    # (\w+): (\S.*)$", text, re.MULTILINE):
        if key not in ("targets", "targets_type"):
            default, check = config.REPO_KEYS[key]
            assert check(yaml.safe_load(shown)) == check(default), key


# -- the house rules ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("demo/fleet.py", "subprocess.run(line, shell=" + "True)"),
        ("_modules/deploy.py", "os.sys" + "tem('true')"),
        ("_runners/deploy.py", 'tag = f"deploy/{jid}/started"'),
        ("_utils/saltdeploy/master/fleet.py", 'tag = "deploy/" + jid'),
        ("_utils/saltdeploy/master/sync.py", '_run(["git", "log"])'),
        ("docs/install.md", "see /ho" + "me/alice/checkout"),
        ("README.md", "TO" + "DO: write this"),
        ("Makefile", "two spaces at the end  "),
    ],
)
def test_the_house_rules_catch(path: str, line: str) -> None:
    assert len(house_rules.breaches(path, f"fine\n{line}\n")) == 1


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("_utils/saltdeploy/events.py", 'tag = f"{ROOT}/{deploy}"'),
        ("_utils/saltdeploy/gitcommand.py", 'Popen(["git", *arguments])'),
        ("_utils/saltdeploy/target/stages.py", 'place = cache / "deploy" / "incoming"'),
        ("_fileserver/deploy_payloads.py", "Served as ``salt://deploy/<sha256>``."),
        ("tests/unit/test_events.py", 'assert tag == "deploy/1/started"'),
    ],
)
def test_the_house_rules_let_pass(path: str, line: str) -> None:
    assert house_rules.breaches(path, f"{line}\n") == []
