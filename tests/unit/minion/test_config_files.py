"""Configuration files that a host renders: checked before they can be live, switched and rolled back with the release."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path
from typing import Any

import jinja2
import pytest
from saltdeploy.config import config_files as config_config_files
from saltdeploy.config import load
from saltdeploy.config.values import Wrong
from saltdeploy.content.verify import Findings
from saltdeploy.layouts import rendered
from saltdeploy.lib.errors import ConfigError, Unsupported
from saltdeploy.minion import by_hand, stages

from tests.support.repositories import Source, repo, tree
from tests.support.serving import ServingHost, until

pytestmark = pytest.mark.component("whole deploys to a host")

TEMPLATE = "version {{ tag }} on {{ host }}\npassword: {{ pillar.password }}\nsize = {{ size }}\n"
INI = {"path": "config/local.ini", "template": "config/local.ini.j2", "vars": {"size": 3}}


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """Three releases with a template; what the first one has at the path of the file itself is left out."""
    trees = [
        tree(**{"VERSION": str(n), "config/local.ini.j2": TEMPLATE, "config/other": "same"}) for n in range(3)
    ]
    trees[0] |= tree(**{"config/local.ini": "git's own\n"})
    trees[2] |= tree(**{"config/local.ini.j2": "{{ no.such.thing }}"})
    return Source(tmp_path_factory.mktemp("source") / "demo.git", *trees)


@pytest.fixture
def pillar() -> dict[str, Any]:
    return {"password": "sesame"}


@pytest.fixture
def server(tmp_path: Path, releases: Source, pillar: dict[str, Any]) -> ServingHost:
    found = ServingHost(tmp_path, releases)
    found.functions["file.apply_template_on_contents"] = lambda text, engine, context, defaults, env: (
        jinja2.Template(text, undefined=jinja2.StrictUndefined, keep_trailing_newline=True).render(
            **context, pillar=pillar
        )
    )
    found.functions["cp.get_file_str"] = lambda url: url == "salt://known" and "of salt {{ tag }}\n"
    found.keys = {"config_files": [INI]}
    return found


def text(server: ServingHost) -> str:
    return (server.location / "config" / "local.ini").read_text()


def verified(server: ServingHost) -> Findings:
    return stages.verify(repo(server.location, **server.keys), server.host, full=True)


def sets(server: ServingHost) -> list[str]:
    home = rendered.home(repo(server.location, **server.keys))
    return sorted(path.name for path in home.iterdir() if not path.is_symlink())


@pytest.mark.parametrize("layout", ["slots", "releases"])
def test_a_file_is_rendered_by_pillar_and_release_and_goes_back_as_it_was(
    server: ServingHost, pillar: dict[str, Any], layout: str
) -> None:
    server.keys |= {"layout": layout}
    result = server.deploy(0)
    assert result.ok
    assert text(server) == "version v0 on web1\npassword: sesame\nsize = 3\n"
    pillar["password"] = "other"
    assert server.deploy(1).ok
    assert text(server) == "version v1 on web1\npassword: other\nsize = 3\n"
    assert verified(server).ok
    pillar["password"] = "third"
    assert server.fetch(0, as_it_was=True).ok
    assert server.rollback(0).ok
    assert text(server) == "version v0 on web1\npassword: sesame\nsize = 3\n"
    assert verified(server).ok


def test_a_release_that_is_deployed_again_takes_up_what_the_pillar_says_now(
    server: ServingHost, pillar: dict[str, Any]
) -> None:
    for number in (0, 1):
        assert server.deploy(number).ok
    pillar["password"] = "other"
    assert server.deploy(0).ok
    assert "password: other" in text(server)
    assert len(sets(server)) == 2, "what no tree leads to is gone"


def test_what_is_live_is_not_changed_by_a_fetch_and_is_by_a_restart(
    server: ServingHost, pillar: dict[str, Any]
) -> None:
    assert server.deploy(0).ok
    pillar["password"] = "other"
    assert server.deploy(0).ok
    assert "password: sesame" in text(server)
    assert server.checkout(0, anew=True).ok
    assert "password: other" in text(server)
    assert verified(server).ok


def test_a_template_that_does_not_render_fails_the_fetch_and_names_the_file(server: ServingHost) -> None:
    assert server.deploy(1).ok
    failed = server.fetch(2)
    assert failed.error is not None
    assert (failed.error.kind, failed.error.path) == ("bad-config-file", "config/local.ini")
    assert "'no' is undefined" in failed.error.cause
    assert text(server).startswith("version v1")


@pytest.mark.parametrize("secret", [False, True])
def test_a_check_that_fails_fails_the_fetch_and_shows_nothing_of_a_secret_file(
    server: ServingHost, secret: bool
) -> None:
    check = ["sh", "-c", 'cat "$0"; grep -q "size = 4" "$0"', "FILE"]
    server.keys = {"config_files": [{**INI, "check": check, "secret": secret}]}
    failed = server.fetch(0)
    assert failed.error is not None and failed.error.kind == "bad-config-file"
    assert "ended with 1" in failed.error.cause
    assert ("sesame" in failed.error.cause) is not secret
    server.keys["config_files"][0]["vars"] = {"size": 4}
    assert server.deploy(0).ok


def test_a_template_may_be_on_the_file_server_of_the_master(server: ServingHost) -> None:
    server.keys = {"config_files": [{"path": "etc/a", "template": "salt://known", "mode": "0600"}]}
    assert server.deploy(0).ok
    assert (server.location / "etc" / "a").read_text() == "of salt v0\n"
    assert (server.location / "etc" / "a").stat().st_mode & 0o777 == 0o600
    server.keys = {"config_files": [{"path": "etc/a", "template": "salt://unknown"}]}
    failed = server.fetch(1)
    assert failed.error is not None and "the master's file server has no salt://unknown" in failed.error.cause


@pytest.mark.parametrize("harm", ["changed", "gone", "another link", "a file in its place"])
def test_verify_finds_what_is_not_as_it_was_rendered_and_the_next_deploy_mends_it(
    server: ServingHost, harm: str
) -> None:
    assert server.deploy(0).ok
    file = server.location / "config" / "local.ini"
    if harm == "changed":
        Path(os.path.realpath(file)).write_text("someone's own")
    elif harm == "gone":
        Path(os.path.realpath(file)).unlink()
    else:
        file.unlink()
        file.symlink_to("/etc/hostname") if harm == "another link" else file.write_text("someone's own")
    findings = verified(server)
    assert not findings.ok
    assert "config/local.ini" in findings.missing
    if harm != "a file in its place":
        assert server.deploy(1).ok
        assert server.deploy(0).ok
        assert text(server).startswith("version v0")
        assert verified(server).ok


def test_killed_while_it_renders_a_host_has_the_old_files_or_the_new_ones(server: ServingHost) -> None:
    assert server.deploy(0).ok
    render = server.functions["file.apply_template_on_contents"]
    mark = server.location.with_name("rendering")

    def slow(*arguments: Any) -> Any:
        mark.touch()
        until(lambda: not mark.exists())
        return render(*arguments)

    server.functions["file.apply_template_on_contents"] = slow
    job = multiprocessing.get_context("fork").Process(target=lambda: (os.setsid(), server.fetch(1)))
    job.start()
    until(mark.exists)
    assert job.pid is not None
    os.killpg(job.pid, signal.SIGKILL)
    job.join()
    mark.unlink()
    assert text(server).startswith("version v0")
    server.functions["file.apply_template_on_contents"] = render
    assert server.deploy(1).ok
    assert text(server).startswith("version v1")
    assert verified(server).ok


def test_a_plan_is_told_the_difference_with_what_is_live_and_no_secret(server: ServingHost) -> None:
    assert server.deploy(0).ok
    found = repo(server.location, **server.keys)
    told = by_hand.config_diff(
        found, server.source.release(1), {INI["path"]: TEMPLATE + "new line\n"}, server.host
    )
    difference = told.facts["config:config/local.ini"]
    assert "-version v0 on web1" in difference and "+version v1 on web1" in difference
    assert "+new line" in difference
    assert "sesame" not in difference
    secret = repo(server.location, config_files=[{**INI, "secret": True}])
    told = by_hand.config_diff(secret, server.source.release(1), {INI["path"]: TEMPLATE}, server.host)
    assert told.facts["config:config/local.ini"] == "it changes; it is secret, so nothing of it is shown"
    broken = by_hand.config_diff(found, server.source.release(2), {INI["path"]: "{{ no.such }}"}, server.host)
    assert broken.error is not None and broken.error.kind == "bad-config-file"


@pytest.mark.parametrize("layout", ["inplace", "overlay"])
def test_a_layout_whose_trees_get_no_links_is_refused(server: ServingHost, layout: str) -> None:
    transport = {"transport": "squashfs"} if layout == "overlay" else {}
    server.keys |= {"layout": layout, **transport}
    failed = server.fetch(0)
    assert failed.error is not None
    assert (failed.error.kind, failed.error.path) == (Unsupported.kind, "repo_config:demo:config_files")


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({"path": "a"}, "needs template"),
        ({"path": "/a", "template": "b"}, "within the tree"),
        ({"path": "a", "template": "../b"}, "no part of it may be"),
        ({"path": "a", "template": "b", "check": ["true"]}, "must name FILE"),
        ({"path": "a", "template": "b", "engine": "php"}, "must be one of jinja"),
        ({"path": "a", "template": "b", "mode": "0999"}, "mode as a text"),
    ],
)
def test_a_file_that_is_written_wrong_is_refused(value: dict[str, Any], why: str) -> None:
    with pytest.raises(Wrong, match=why):
        config_config_files.config_files([value])


def test_a_file_within_what_is_shared_is_refused() -> None:
    section = {"location": "/srv/demo", "shared": {"dirs": ["config"]}, "config_files": [INI]}
    with pytest.raises(ConfigError, match="config/local.ini is within config") as caught:
        load({"repo_config": {"demo": section}}, "demo")
    assert caught.value.path == "repo_config:demo:config_files"


def test_a_repo_without_any_keeps_the_mark_of_its_trees() -> None:
    shared = {"location": "/srv/demo", "shared": {"dirs": ["uploads"]}}
    plain = load({"repo_config": {"demo": shared}}, "demo")
    other = load({"repo_config": {"demo": {**shared, "config_files": [INI]}}}, "demo")
    assert plain.shape != other.shape
    assert plain.paths.shared.left_out == plain.paths.shared.paths == ("uploads",)
