"""What is written somewhere is wrong, damaged, or not there: pillars, sources, files of the master."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

from saltdeploy.protocol.release import file_name

from tests.functional.typed.console import Console
from tests.functional.typed.follower import Printed
from tests.unit.protocol.whole_deploys import REPO

Story = Iterator[Printed]


def pillar_with_a_wrong_word(at: Console) -> Story:
    at.fleet.pillar["repo_config"][REPO]["layout"] = "slotz"
    corrected = {"did you mean slots": lambda: at.configure(layout="slots")}
    yield Printed(
        lambda: at.deploy("v1"), {**corrected, "correct it": lambda: at.configure()}, mend=lambda: None
    )


def source_that_is_away(at: Console) -> Story:
    place = at.source.git_dir
    place.rename(place.with_name("away"))
    back = {"git ls-remote": lambda: place.with_name("away").rename(place)}
    yield Printed(lambda: at.deploy("v1"), back, mend=lambda: None)
    assert at.live() == at.everywhere("v1")


def place_without_a_repository(at: Console) -> Story:
    place = at.place / "staging"
    place.mkdir()
    at.configure(source=str(place))
    there = f"file://{at.source.git_dir}"
    cloned = {
        "clone it there": lambda: subprocess.run(["git", "clone", "-q", there, str(place)], check=True),
        "correct repo_config": lambda: at.configure(source=there),
    }
    yield Printed(lambda: at.deploy("v1"), {**cloned, "git -C": lambda: None}, mend=lambda: None)


def checks_of_the_release(at: Console) -> Story:
    """Its file of checks is no YAML, and a release mends it."""
    _commit(at, "broken", "scap/checks.yaml", "checks: {x: [")
    _commit(at, "mended", "scap/checks.yaml", "checks: {}")
    tags = ["mended", "broken"]
    hand = {"mend": tags.pop}
    yield Printed(lambda: at.deploy(tags[-1]), {**hand, "take it out": tags.pop}, mend=lambda: None)


def _commit(at: Console, tag: str, path: str, text: str) -> None:
    place = at.place / f"work-{tag}"
    subprocess.run(["git", "clone", "-q", str(at.source.git_dir), str(place)], check=True)
    (place / path).parent.mkdir(exist_ok=True)
    (place / path).write_text(text)
    for words in (["add", "."], ["commit", "-qm", tag], ["tag", tag], ["push", "-q", "origin", tag]):
        subprocess.run(["git", "-C", str(place), *words], check=True)


def submodule_that_was_tried_out(at: Console) -> Story:
    library, staging = at.place / "library", at.place / "staging"
    subprocess.run(["git", "clone", "-q", str(at.source.git_dir), str(library)], check=True)
    allowed = ["git", "-c", "protocol.file.allow=always", "-C", str(staging)]
    subprocess.run(["git", "clone", "-q", "-b", "v1", str(at.source.git_dir), str(staging)], check=True, stderr=subprocess.DEVNULL)  # fmt: skip
    for words in (
        ["submodule", "--quiet", "add", f"file://{library}", "sub"],
        ["config", "-f", ".gitmodules", "submodule.sub.url", "https://git.example.org/library"],
        ["commit", "-qam", "with it"],
        ["tag", "with"],
    ):
        subprocess.run([*allowed, *words], check=True)
    subprocess.run(["git", "-C", str(staging / "sub"), "checkout", "-q", "v0"], check=True)
    elsewhere = {"https://git.example.org/": f"file://{at.place}/"}
    at.configure(source=str(staging), checkout_submodules=True, submodule_urls=elsewhere)

    def updated() -> None:
        subprocess.run([*allowed, "submodule", "update", "--init", "-q"], check=True)

    hand = {"submodule update": updated, "commit it and make a new tag": updated}
    yield Printed(lambda: at.deploy("with"), hand)
    assert at.deploy("with", force="submodules")["retcode"] == 0


def pins_that_are_empty(at: Console) -> Story:
    """And no journal tells what is pinned."""
    at.has("v0")
    _pins(at).write_bytes(b"")
    journals = at.fleet.root / "journal" / file_name(REPO)
    journals.rename(journals.with_name("lost"))
    shipped = {"deploy.sync": lambda: at.has("v1")}
    yield Printed(lambda: at.run("report", repo=REPO), shipped, mend=lambda: None)
    assert at.live() == at.everywhere("v1")


def _pins(at: Console) -> Path:
    return at.fleet.root / "pins" / f"{file_name(REPO)}.json"


def something_nobody_foresaw(at: Console) -> Story:
    """What is looked through then says what is wrong, or that nothing is."""
    at.has("v0")

    def breaks(*_: object) -> None:
        raise RuntimeError("out of order")

    at.patch.setitem(at._globals, "history_of", breaks)
    mended = {"deploy.doctor": at.patch.undo}
    yield Printed(lambda: at.run("versions", repo=REPO), mended, mend=lambda: None)


#: Kind of error to its situations.
SITUATIONS = {
    "config": [pillar_with_a_wrong_word],
    "unavailable": [source_that_is_away, place_without_a_repository],
    "bad-checks": [checks_of_the_release],
    "not-as-recorded": [submodule_that_was_tried_out],
    "damaged-file": [pins_that_are_empty],
    "unexpected": [something_nobody_foresaw],
}
