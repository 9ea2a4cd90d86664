"""Configuration: a pillar of Trebuchet's works unchanged; whatever is wrong is one error that names its path."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from saltdeploy import config
from saltdeploy.config.schema import DEPLOYMENT_KEYS, REPO_KEYS
from saltdeploy.lib.errors import BadName, ConfigError, DeployError, UnknownRepo

from tests.support.rounds import rounds
from tests.unit.strategies import anything

#: All of its keys, none of ours.
TREBUCHET: dict[str, Any] = {
    "deployment_config": {
        "parent_dir": "/srv/deployment",
        "servers": {"eqiad": "tin.eqiad.example.org", "codfw": "mira.codfw.example.org"},
        "redis": {"host": "tin.eqiad.example.org", "port": "6379", "db": "0", "socket_connect_timeout": 5},
    },
    "repo_config": {
        "test/testrepo": {},
        "mediawiki/slot0": {
            "grain": "mediawiki",
            "upstream": "https://git.example.org/mediawiki/core",
            "shadow_reference": True,
            "fetch_module_calls": {"mediawiki.generate_localization_cache": ["__REPO__"]},
            "checkout_module_calls": {"mediawiki.purge": [], "test.echo": None},
            "checkout_submodules": True,
            "location": "/srv/mediawiki/slot0",
            "sync_script": "depends.py",
            "dependencies": {"mediawiki/l10n-slot0": "l10n"},
            "automated": False,
            "type": "git-https",
            "gitfat_enabled": True,
            "service_name": "hhvm",
            "deployment_repo_group": "wikidev",
        },
        "parsoid/deploy": None,
    },
}
DEFAULTS = {
    "type": "git-http",
    "location": "/srv/deployment/test/testrepo",
    "shadow_location": "/srv/deployment/test/.testrepo",
    "url": "http://tin.eqiad.example.org/test/testrepo",
    "checkout_submodules": False,
    "gitfat_enabled": False,
    "dependencies": {},
    "fetch_module_calls": {},
    "checkout_module_calls": {},
    "sync_script": "shared.py",
    "upstream": None,
    "shadow_reference": False,
    "service_name": None,
    "deployment_repo_group": None,
}


def pillar(_location: str = "/srv/demo", **keys: Any) -> dict[str, Any]:
    return {"repo_config": {"demo": {"location": _location, **keys}}}


def load(**keys: Any) -> config.Repo:
    return config.load(pillar(**keys), "demo")


# -- Trebuchet ------------------------------------------------------------------------------------------


def test_a_repo_without_keys_has_trebuchets_defaults() -> None:
    shown = config.load(TREBUCHET, "test/testrepo", "eqiad").pillar.trebuchet
    assert {key: shown[key] for key in DEFAULTS} == DEFAULTS


def test_all_keys_of_trebuchet_are_taken_as_they_are() -> None:
    said = TREBUCHET["repo_config"]["mediawiki/slot0"]
    shown = config.load(TREBUCHET, "mediawiki/slot0", "codfw").pillar.trebuchet
    assert {key: shown[key] for key in said} == {
        **said,
        "checkout_module_calls": {"mediawiki.purge": [], "test.echo": []},
    }
    assert shown["url"] == "https://mira.codfw.example.org/mediawiki/slot0"
    assert shown["shadow_location"] == "/srv/mediawiki/.slot0"
    assert json.loads(json.dumps(shown)) == shown


def test_a_repo_that_is_only_a_name_is_a_repo() -> None:
    assert config.load(TREBUCHET, "parsoid/deploy").paths.location == Path("/srv/deployment/parsoid/deploy")


def test_all_repos_are_listed() -> None:
    assert config.repo_names(TREBUCHET) == ["mediawiki/slot0", "parsoid/deploy", "test/testrepo"]
    assert config.repo_names({}) == config.repo_names({"repo_config": None}) == []


def test_a_name_that_yaml_takes_for_a_number_is_a_name() -> None:
    numbered = {"repo_config": {404: {}, "demo": {}}}
    assert config.repo_names(numbered) == ["404", "demo"]
    assert config.load(numbered, "404").paths.location == Path("/srv/deployment/404")


@pytest.mark.parametrize(
    ("kind", "scheme"), [("git-http", "http"), ("git-https", "https"), ("git-ssh", "ssh"), ("git", "git")]
)
def test_the_type_chooses_the_scheme_and_the_site_the_server(kind: str, scheme: str) -> None:
    section = {"repo_config": {"demo": {"type": kind}}, "deployment_config": TREBUCHET["deployment_config"]}
    assert config.load(section, "demo", "codfw").origin.url == f"{scheme}://mira.codfw.example.org/demo"
    assert config.load(section, "demo").origin.url == f"{scheme}://tin.eqiad.example.org/demo"


def test_the_grain_is_a_second_name_for_targets() -> None:
    assert load().targets.expression == "G@deployment_target:demo"
    assert load(grain="web").targets.expression == "G@deployment_target:demo or G@deployment_target:web"


def test_a_staging_repository_on_this_host_is_where_tags_are_read(tmp_path: Path) -> None:
    section = {**pillar(upstream="https://u"), "deployment_config": {"parent_dir": str(tmp_path)}}
    assert config.load(section, "demo").origin.source == "https://u"
    (tmp_path / "demo" / ".git").mkdir(parents=True)
    assert config.load(section, "demo").origin.source == str(tmp_path / "demo")


def test_each_load_has_data_of_its_own() -> None:
    load().pillar.trebuchet["fetch_module_calls"]["x.y"] = []
    load().pillar.trebuchet["dependencies"]["x"] = ""
    assert load().pillar.trebuchet["fetch_module_calls"] == load().pillar.trebuchet["dependencies"] == {}


@pytest.mark.parametrize("key", list(REPO_KEYS))
def test_a_key_that_is_null_is_not_set(key: str) -> None:
    section = {"repo_config": {"demo": {key: None}}}
    assert config.load(section, "demo") == config.load({"repo_config": {"demo": {}}}, "demo")


# -- what is wrong --------------------------------------------------------------------------------------

WRONG: list[tuple[str, Any]] = [
    ("grain", "two words"),
    ("grain", ["a"]),
    ("upstream", ""),
    ("shadow_reference", "yes"),
    ("fetch_module_calls", ["test.ping"]),
    ("fetch_module_calls", {"ping": []}),
    ("checkout_module_calls", {"test.echo": "words"}),
    ("checkout_submodules", 1),
    ("location", "relative"),
    ("location", "/"),
    ("location", "//"),
    ("location", "/srv/../etc"),
    ("location", "/srv/a\nb"),
    ("location", "/srv/a\0b"),
    ("dependencies", "one"),
    ("dependencies", [1]),
    ("type", "svn"),
    ("type", ["git"]),
    ("service_name", 7),
    ("targets", []),
    ("transport", "carrier pigeon"),
    ("layout", "heap"),
    ("slots", 1),
    ("slots", 17),
    ("slots", True),
    ("slots", "3"),
    ("stat_limit", -1),
    ("batch", 0),
    ("batch", "0%"),
    ("batch", "00"),
    ("batch", "101%"),
    ("batch", "²"),
    ("batch", "٣"),
    ("batch", True),
    ("batch", 1.5),
    ("failure_limit", -1),
    ("failure_limit", "many"),
    ("failure_limit", "5 %"),
    ("timeout", 0),
    ("blobs", ["lfs"]),
    ("submodule_urls", ["https://x/"]),
]


@pytest.mark.parametrize(("key", "value"), WRONG)
def test_a_wrong_value_is_one_error_that_names_its_path(key: str, value: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        config.load({"repo_config": {"demo": {key: value}}}, "demo")
    assert caught.value.path == f"repo_config:demo:{key}"
    assert f"pillar repo_config:demo:{key}" in str(caught.value)
    assert caught.value.repo == "demo"


@pytest.mark.parametrize("key", ["upstream", "source", "url"])
@pytest.mark.parametrize(
    "value",
    [
        "ext::sh -c touch% /tmp/x",
        "fd::7",
        "hg::https://host/x",
        "::x",
        "--upload-pack=touch /tmp/x",
        "ssh://-oProxyCommand=touch/x",
        "ssh://me@-oProxyCommand=touch/x",
        "-oProxyCommand=touch:x",
        "me@-host:x",
        "SSH://-host/x",
    ],
)
def test_an_url_that_would_run_a_command_is_refused(key: str, value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(**{key: value})
    assert caught.value.path == f"repo_config:demo:{key}"


@pytest.mark.parametrize(
    "value",
    [
        "/srv/git/x",
        "https://host/x.git",
        "git@host:x-y/z.git",
        "ssh://me@host:22/x",
        "file:///srv/x",
        "[::1]:x",
        "../x",
    ],
)
def test_usual_urls_are_accepted(value: str) -> None:
    assert load(url=value).origin.url == value


def test_a_password_in_a_wrong_url_is_not_told() -> None:
    with pytest.raises(ConfigError) as caught:
        load(url="hg::https://me:secret@host/x")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("section", "path"),
    [
        ({"deployment_config": {"parent": "/srv"}}, "deployment_config:parent"),
        ({"deployment_config": {"parent_dir": "srv"}}, "deployment_config:parent_dir"),
        ({"deployment_config": {"servers": ["tin"]}}, "deployment_config:servers"),
        ({"deployment_config": {"servers": {"eqiad": "-oProxyCommand=x"}}}, "deployment_config:servers"),
        ({"deployment_config": {"servers": {"eqiad": None}}}, "deployment_config:servers"),
        ({"deployment_config": ["x"]}, "deployment_config"),
        ({"repo_config": ["demo"]}, "repo_config"),
        ({"repo_config": {"demo": ["x"]}}, "repo_config:demo"),
        ({"repo_config": {"demo": {1: 2}}}, "repo_config:demo:1"),
        ({"repo_config": {"demo": {"slotz": 2}}}, "repo_config:demo:slotz"),
    ],
)
def test_a_wrong_section_or_key_is_named(section: dict[str, Any], path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config.load({"repo_config": {"demo": {}}, **section}, "demo")
    assert caught.value.path == path


def test_who_mistypes_a_key_is_told_the_right_one() -> None:
    with pytest.raises(ConfigError) as caught:
        load(slotz=3)
    assert caught.value.next == "did you mean slots"


def test_an_unknown_repo_names_those_that_are_close() -> None:
    with pytest.raises(UnknownRepo) as caught:
        config.load(TREBUCHET, "test/testrep")
    assert "test/testrepo" in caught.value.next


def test_a_type_of_targets_without_targets_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        load(targets_type="list")
    assert caught.value.path == "repo_config:demo:targets_type"
    assert load(targets="web1,web2", targets_type="list").targets.type == "list"


@given(data=anything)
def test_whatever_the_pillar_holds_there_is_a_repo_or_one_error(data: object) -> None:
    for section in (
        {"repo_config": data},
        {"repo_config": {"demo": data}},
        {"repo_config": {"demo": {}}, "deployment_config": data},
        {"repo_config": {"demo": {}, "other": data}},
    ):
        try:
            assert config.load(section, "demo").name == "demo"
        except (ConfigError, UnknownRepo):
            continue


@pytest.mark.parametrize("key", list(REPO_KEYS))
@settings(max_examples=rounds(30))
@given(value=anything)
def test_whatever_a_key_holds_it_is_legal_or_one_error(key: str, value: object) -> None:
    try:
        load(**{"targets": "x", key: value})
    except DeployError as error:
        assert isinstance(error, ConfigError)


@pytest.mark.parametrize("name", ["", "../demo", "/demo", "demo/", ".git", "-demo", "a b"])
def test_a_name_that_is_not_legal_is_no_repo(name: str) -> None:
    with pytest.raises(BadName):
        config.load({"repo_config": {name: {}}}, name)


# -- locations ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/srv/a", "/srv/a"),
        ("/srv/a", "/srv/a/b"),
        ("/srv/a/b/c", "/srv/a"),
        ("/srv/a", "/srv/a/"),
        ("/srv/a", "//srv/a"),
        ("/srv/a", "/srv/./a/b"),
        ("/srv/a", "/srv/b/../a"),
        ("/srv/a", "/srv/.a.deploy"),
        ("/srv/a", "/srv/.a.deploy/slots/0"),
        ("/srv/.a.deploy/x", "/srv/a"),
    ],
)
def test_locations_that_lie_in_each_other_are_refused(one: str, other: str) -> None:
    section = {"repo_config": {"demo": {"location": one}, "other": {"location": other}}}
    with pytest.raises(ConfigError) as caught:
        config.load(section, "demo")
    assert caught.value.path == "repo_config:demo:location"
    assert "other" in caught.value.cause


def test_a_location_by_default_can_lie_in_another_too() -> None:
    with pytest.raises(ConfigError):
        config.load({"repo_config": {"test": {}, "test/testrepo": {}}}, "test/testrepo")


@pytest.mark.parametrize(
    ("one", "other"), [("/srv/a", "/srv/ab"), ("/srv/a", "/srv/a.b"), ("/srv/x/a", "/srv/y/a")]
)
def test_locations_beside_each_other_are_fine(one: str, other: str) -> None:
    section = {"repo_config": {"demo": {"location": one}, "other": {"location": other}}}
    assert str(config.load(section, "demo").paths.location) == one


def test_what_is_not_live_lies_beside_the_location() -> None:
    assert config.load(pillar("/srv/demo"), "demo").paths.area == Path("/srv/.demo.deploy")


# -- the reference page ---------------------------------------------------------------------------------


def rows(checkout: Path) -> dict[str, str]:
    """Key to default, as docs/configuration.md says."""
    page = (checkout / "docs" / "configuration.md").read_text()
    found = {}
    for keys, default in re.findall(r"^\| (`[^|]+`) \| ([^|]*) \|", page, re.MULTILINE):
        found |= dict.fromkeys(re.findall(r"`(\w+)`", keys), default.strip())
    return found


def test_the_reference_page_lists_the_keys_that_exist(checkout: Path) -> None:
    assert set(rows(checkout)) == {*REPO_KEYS, *DEPLOYMENT_KEYS}


@pytest.mark.parametrize("key", [*REPO_KEYS, *DEPLOYMENT_KEYS])
def test_the_reference_page_gives_the_default(checkout: Path, key: str) -> None:
    default = {**REPO_KEYS, **DEPLOYMENT_KEYS}[key][0]
    shown = rows(checkout)[key]
    if default is None:  # the page says in words what is taken then
        assert not re.fullmatch(r"`[\w%/.]+`", shown)
    elif key == "targets_type":
        assert "`compound` by default" in (checkout / "docs" / "configuration.md").read_text()
    else:
        said = shown.strip("`")
        assert said == (str(default).lower() if isinstance(default, bool) else str(default))


@pytest.mark.parametrize(
    ("kind", "sources"),
    [
        ("zip", []),
        ("lfs", 7),
        ("lfs", [7]),
        ("lfs", ["relative/path"]),
        ("lfs", ["-e:x"]),
        ("fat", ["rsync://-x/y"]),
        ("fat", ["lfs+https://host/api"]),
        ("annex", ["ftp://host/x"]),
    ],
)
def test_a_wrong_source_of_blobs_is_an_error_that_names_the_kind(kind: str, sources: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        config.load({"repo_config": {"demo": {"blobs": {kind: sources}}}}, "demo")
    assert caught.value.path == f"repo_config:demo:blobs:{kind}"


@pytest.mark.parametrize("instead", ["", 7, "-x", "ext::sh -c id", "fd::1"])
def test_a_wrong_rewriting_of_urls_is_an_error_that_names_it(instead: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        config.load({"repo_config": {"demo": {"submodule_urls": {"https://x/": instead}}}}, "demo")
    assert caught.value.path == "repo_config:demo:submodule_urls:https://x/"


def test_sources_of_blobs_may_be_one_or_many_or_none() -> None:
    said = {"lfs": "/srv/lfs", "annex": ["host:/x", "host::y"]}
    repo = config.load({"repo_config": {"demo": {"blobs": said, "gitfat_enabled": True}}}, "demo")
    assert repo.contents.blobs == {"fat": (), "lfs": ("/srv/lfs",), "annex": ("host:/x", "host::y")}
    assert repo.shape == "annex+fat+lfs"


def test_a_repo_that_cannot_be_read_hides_no_other() -> None:
    found, unreadable = config.load_all({"repo_config": {"good": {}, "bad": {"slotz": 3}}})
    assert [repo.name for repo in found] == ["good"]
    assert list(unreadable) == ["bad"]
    assert "repo_config:bad:slotz" in unreadable["bad"]


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("gitfat_enabled", "true", "must be true or false, and not a text: write true without quotes"),
        ("checkout_submodules", "True", "write true without quotes"),
        ("automated", "no", "write no without quotes"),
        ("slots", "3", "from 2 to 16, and not a text: write 3 without quotes"),
        ("service_timeout", "60", "and not a text: write 60 without quotes"),
        ("slots", "three", "must be a whole number from 2 to 16; it is 'three'"),
    ],
)
def test_F31_a_text_in_place_of_a_value_is_told_as_that(key: str, value: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config.load({"repo_config": {"demo": {"source": "/s", key: value}}}, "demo")
    assert told in caught.value.cause
    assert caught.value.path == f"repo_config:demo:{key}"


def test_F31_a_key_of_trebuchets_first_year_leads_to_what_does_the_same_now(checkout: Path) -> None:
    old = {"submodule_sed_regex": {"https://gerrit": "http://__SERVER__"}}
    with pytest.raises(ConfigError, match="submodule_sed_regex") as caught:
        config.load({"repo_config": {"demo": {"source": "/s", **old}}}, "demo")
    assert "submodule_urls" in caught.value.next
    assert "submodule_urls" in (checkout / "docs/submodules.md").read_text()
