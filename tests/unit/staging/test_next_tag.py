"""How the next release is called: in order, never a number twice, and never what git cannot have."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltdeploy.lib.errors import BadArguments, BadName
from saltdeploy.staging.next_tag import next_tag
from saltdeploy.staging.schemes import version

NOW = datetime(2015, 6, 10, 10, 0, 0, tzinfo=timezone.utc)


def following(*tags: str, scheme: str = "release", part: str = "", now: datetime = NOW) -> str:
    return next_tag("mediawiki", tags, scheme, part, now)


@pytest.mark.parametrize(
    ("tags", "scheme", "part", "tag"),
    [
        ("", "release", "", "release/2015-06-10/1"),
        ("release/2015-06-09/7", "release", "", "release/2015-06-10/1"),
        ("release/2015-06-10/9 release/2015-06-10/10", "release", "", "release/2015-06-10/11"),
        ("release/2015-06-10/7", "release", "", "release/2015-06-10/8"),  # the others were cleaned up
        ("release/2015-06-10/hotfix", "release", "", "release/2015-06-10/1"),
        ("scap/sync/2015-06-10/0009", "scap", "", "scap/sync/2015-06-10/0010"),
        ("scap/sync/2015-06-10/9999", "scap", "", "scap/sync/2015-06-10/10000"),
        ("", "timestamp", "", "scap_2015-06-10T10-00-00Z"),
        ("scap_2015-06-10T10-00-00Z", "timestamp", "", "scap_2015-06-10T10-00-01Z"),
        ("mediawiki-sync-20150610-100000", "sync", "", "mediawiki-sync-20150610-100001"),
        ("v1.9.0 v1.10.0", "semver", "", "v1.10.1"),
        ("v1.9.3 1.2.0", "semver", "minor", "v1.10.0"),
        ("v1.9.3", "semver", "major", "v2.0.0"),
        ("v1.3.0-rc.2 v1.2.9", "semver", "patch", "v1.3.0"),
        ("v1.3.0-rc.2", "semver", "minor", "v1.3.0"),
        ("v1.3.0-rc.2 v1.3.0", "semver", "patch", "v1.3.1"),
        ("", "semver", "minor", "v0.1.0"),
    ],
)
def test_S62_S63_S64_the_next_tag_follows_the_greatest(tags: str, scheme: str, part: str, tag: str) -> None:
    assert following(*tags.split(), scheme=scheme, part=part) == tag


def test_S62_versions_are_ordered_as_semver_says_and_not_as_text() -> None:
    ordered = (
        "1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1 1.0.0 1.9.0 1.10.0"
    )
    assert sorted(reversed(ordered.split()), key=lambda tag: version(tag) or ()) == ordered.split()


@pytest.mark.parametrize("taken", ["release", "release/2015-06-10"])
def test_S64_a_tag_that_stands_in_the_way_is_named(taken: str) -> None:
    with pytest.raises(BadName) as refused:
        following(taken)
    assert f"beside the tag {taken}" in refused.value.cause


def test_S04_a_form_of_time_with_colons_leads_to_the_scheme_timestamp() -> None:
    with pytest.raises(BadArguments) as refused:
        following(scheme="scap_%Y-%m-%dT%H:%M:%S")
    assert refused.value.next == "salt-run deploy.next_tag repo=mediawiki scheme=timestamp"


@pytest.mark.parametrize(("scheme", "part"), [("semver", "huge"), ("release", "minor")])
def test_a_part_that_the_scheme_has_not_is_refused(scheme: str, part: str) -> None:
    with pytest.raises(BadArguments):
        following(scheme=scheme, part=part)


@given(
    st.sampled_from(("release", "scap", "semver", "sync", "timestamp")),
    st.sets(st.integers(1, 300), max_size=30),
    st.integers(1, 20),
)
def test_S57_S64_tags_made_one_after_the_other_are_distinct_also_after_a_cleanup(
    scheme: str, deleted: set[int], more: int
) -> None:
    made: list[str] = []
    for _ in range(more):
        there = [tag for place, tag in enumerate(made) if place not in deleted or place == len(made) - 1]
        made.append(following(*there, scheme=scheme))
    assert len(set(made)) == more
