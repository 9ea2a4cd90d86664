"""What a deploy puts on the bus is what docs/events.md says, and what its journal holds."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from saltdeploy.master.records import journal
from saltdeploy.protocol import events

from tests.integration.repo import Repo, converged


def documented(checkout: Path) -> dict[str, set[str]]:
    """Event to the fields that the page names for it, those of every event among them."""
    page = (checkout / "docs" / "events.md").read_text()
    rows = {
        name: set(re.findall(r"`([a-zA-Z_<>]+)`", fields))
        for names, fields in re.findall(r"^\| (`.*?`[^|]*) \|(.*)\|$", page, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", names)
    }
    common = {"v", "deploy", "event", "repo", "time"}
    assert common <= set(rows)
    return {name: fields | common for name, fields in rows.items() if name not in common}


def flat(tag: str, data: dict[str, Any]) -> dict[str, Any]:
    """An event as the page describes it: what a minion fires stands under ``data``."""
    found = events.split_tag(tag)
    return data["data"] if found and found[1] == events.HOST_PROGRESS else data


def test_F20_events_and_their_tags_are_those_of_the_page(repo: Repo, checkout: Path) -> None:
    with repo.fleet.bus() as bus:
        deploy = converged(repo.sync("v1")).data["deploy"]
        seen = bus.until(lambda tag, data: tag == f"deploy/{deploy}/finished")
    ours = {tag: flat(tag, data) for tag, data in seen if tag.startswith(f"deploy/{deploy}/")}
    page = documented(checkout)
    shapes = [events.split_tag(tag) for tag, _ in seen if tag.startswith("deploy/")]
    assert all(shape and shape[1] in page for shape in shapes), shapes
    for tag, event in ours.items():
        assert tag == events.tag_of(event)
        allowed = {field.replace("<stage>", event.get("stage", "")) for field in page[event["event"]]}
        assert set(event) - {"_stamp"} <= allowed, tag
        assert len(json.dumps(event)) < 8192
    told = {event["event"] for event in ours.values()}
    assert told >= {"started", "stage_started", "host_progress", "host_finished", "stage_progress"}
    assert told >= {"stage_finished", "pinned", "finished"}


def test_the_journal_holds_what_was_on_the_bus(repo: Repo) -> None:
    with repo.fleet.bus() as bus:
        deploy = converged(repo.sync("v1")).data["deploy"]
        seen = bus.until(lambda tag, data: tag == f"deploy/{deploy}/finished")
    on_bus = [data for tag, data in seen if tag.startswith(f"deploy/{deploy}/") and "data" not in data]
    kept = list(journal.replay(journal.Journals(repo.fleet.root).path(repo.name, deploy)))
    for event in on_bus:
        event.pop("_stamp", None)
    off_bus = (events.HOST_PROGRESS, *events.JOURNAL_ONLY)
    assert on_bus == [event for event in kept if event["event"] not in off_bus]
