"""The example pillar: legal, complete, and honest about defaults."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jinja2
import pytest
import yaml
from saltdeploy import config
from saltdeploy.config.schema import DEPLOYMENT_KEYS, REPO_KEYS

from demo import sample

DEMO: dict[str, object] = {
    "hosts": "/somewhere/hosts",
    "source": "/somewhere/site",
    "url": "file:///somewhere/site",
}


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
    assert config.load(pillar, "demo").paths.location == Path("/srv/www/demo")
    assert config.load(pillar, "test/testrepo").paths.location == Path("/srv/deployment/test/testrepo")


def test_the_demo_gives_each_host_a_disk_of_its_own(checkout: Path) -> None:
    repo = config.load(render(checkout, {"deploy_demo": DEMO}), "demo")
    assert repo.paths.location == Path("/somewhere/hosts/web1/srv/www/demo")
    assert (repo.origin.source, repo.origin.url) == (DEMO["source"], DEMO["url"])


@pytest.mark.parametrize("key", [*DEPLOYMENT_KEYS, *REPO_KEYS])
def test_the_example_pillar_shows_every_key(checkout: Path, key: str) -> None:
    text = (checkout / "pillar" / "deploy.sls").read_text()
    assert re.search(rf"^ +(# )?{key}:", text, re.MULTILINE)


def test_the_example_pillar_shows_the_defaults_of_the_keys_that_it_leaves_out(checkout: Path) -> None:
    text = (checkout / "pillar" / "deploy.sls").read_text()
    for key, shown in re.findall(r"^    # (\w+): (\S.*)$", text, re.MULTILINE):
        if key not in ("targets", "targets_type"):
            default, check = REPO_KEYS[key]
            said = yaml.safe_load(shown)
            assert said == default or check(said) == check(default), key


def test_F20_the_name_of_the_repo_stands_alone_in_the_example(
    checkout: Path,
) -> None:
    text = (checkout / "pillar" / "deploy.sls").read_text()
    assert re.findall(r"\['[^'\n]*__REPO__[^'\n]*'\]", text) == ["['__REPO__']"]


def test_F21_the_demo_has_a_canary_and_a_check_that_its_broken_release_fails(checkout: Path) -> None:
    pillar = render(checkout, {"deploy_demo": {**DEMO, "rollout": sample.ROLLOUT}})
    repo = config.load(pillar, "demo")
    assert [group.name for group in repo.rollout.groups] == ["canary", "rest"]
    assert [check.name for check in repo.hooks.checks] == ["version"]
