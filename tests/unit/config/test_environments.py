"""Environments: one entry of the pillar, a repo of its own for each; what is shared, and what must not be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from saltdeploy import config
from saltdeploy.lib.errors import BadName, ConfigError, UnknownRepo
from saltdeploy.protocol.release import base_of, check_repo, file_name, repo_of

SITE = {
    "source": "/srv/repositories/site",
    "service_name": "gunicorn",
    "checks": {"page": {"type": "port", "after": "restart", "port": 80}},
    "environments": {
        "staging": {"targets": "stage*"},
        "production": {"targets": "web*", "service_name": "gunicorn=reload", "promote_after": 60},
    },
}


def pillar(**repos: Any) -> dict[str, Any]:
    return {"repo_config": repos}


def loaded(env: str, section: dict[str, Any] = SITE, **others: Any) -> config.Repo:
    return config.load(pillar(site=section, **others), f"site@{env}")


def test_each_environment_is_a_repo_and_the_entry_itself_is_none() -> None:
    found = pillar(site=SITE, other={"location": "/srv/other"})
    assert config.repo_names(found) == ["other", "site@production", "site@staging"]
    with pytest.raises(UnknownRepo) as caught:
        config.load(found, "site")
    assert caught.value.next == (
        "did you mean site@staging or site@production? Then the same command with repo=site@staging"
    )


def test_its_own_keys_count_and_the_others_are_those_of_the_repo() -> None:
    staging, production = loaded("staging"), loaded("production")
    assert (staging.targets.expression, production.targets.expression) == ("stage*", "web*")
    assert [each.hooks.restart.services[0].action for each in (staging, production)] == ["restart", "reload"]
    assert staging.origin.source == production.origin.source == "/srv/repositories/site"
    assert staging.hooks.checks == production.hooks.checks
    assert staging.paths.location == production.paths.location == Path("/srv/deployment/site")
    assert (staging.guards.promote_after, production.guards.promote_after) == (0, 60)


def test_what_a_host_keeps_of_it_gives_the_same_again() -> None:
    found = loaded("production")
    assert config.load(found.pillar.written, found.name) == found


def test_without_targets_it_is_for_hosts_with_its_own_name_in_their_grain() -> None:
    section = {"grain": "site", "environments": {"staging": None}}
    assert loaded("staging", section).targets.expression == "G@deployment_target:site@staging"


def test_targets_of_the_repo_are_never_those_of_all_environments() -> None:
    with pytest.raises(ConfigError, match="does not say which hosts it is for") as caught:
        loaded("staging", {"targets": "*", "environments": {"staging": {}}})
    assert caught.value.path == "repo_config:site:environments:staging:targets"


def test_what_it_needs_is_of_the_same_environment_where_there_is_one() -> None:
    library = {"location": "/srv/library", "environments": {"staging": {"targets": "stage*"}}}
    section = {"dependencies": ["library", "l10n"], "environments": {"staging": {"targets": "stage*"}}}
    found = loaded("staging", section, library=library, l10n={"location": "/srv/l10n"})
    assert found.guards.dependencies == ("library@staging", "l10n")


@pytest.mark.parametrize(
    ("environments", "why"),
    [
        ({}, "must be a table of environments"),
        (["staging"], "must be a table of environments"),
        ({"a b": {}}, "short name"),
        ({"staging": "stage*"}, "must be a table of keys"),
        ({"staging": {"environments": {}}}, "must be a table of keys"),
        ({"staging": {"targets": "s*", "targts": "x"}}, "is not a key that we know"),
    ],
)
def test_environments_that_are_written_wrong_are_refused_with_their_place(
    environments: Any, why: str
) -> None:
    with pytest.raises(ConfigError, match=why) as caught:
        loaded("staging", {"environments": environments})
    assert caught.value.path.startswith("repo_config:site")


def test_another_repo_may_not_lie_in_the_location_of_an_environment() -> None:
    with pytest.raises(ConfigError, match="lie in each other"):
        loaded("staging", other={"location": "/srv/deployment/site/lib"})


def test_the_name_is_legal_on_every_surface() -> None:
    assert check_repo("mediawiki/slot0@staging") == "mediawiki/slot0@staging"
    assert repo_of(file_name("site@staging")) == "site@staging"
    assert (base_of("a/b@c"), base_of("a/b")) == ("a/b", "a/b")
    for name in ("site@", "@staging", "site@a@b", "site@-x", "site@a/b", "si@te/x"):
        with pytest.raises(BadName):
            check_repo(name)
