"""Each row of the table of transports is true: its class, its payloads, its programs, and what the pages say of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from saltdeploy import layouts, transports
from saltdeploy.config import Repo
from saltdeploy.config import transports as config_transports
from saltdeploy.config.schema import REPO_KEYS
from saltdeploy.config.transports import TABLE, TransportRow
from saltdeploy.git.repository import Repository, no_progress
from saltdeploy.lib.errors import ConfigError, DeployError
from saltdeploy.protocol.orders import FETCH, Order

from tests.support.repositories import Source, repo, tree
from tests.support.targets import Copies
from tests.unit.transports.conftest import Travellers

LAYOUTS = ("slots", "releases", "inplace", "overlay")
each_row = pytest.mark.parametrize("row", TABLE.built_in.values(), ids=lambda row: row.name)


@each_row
def test_a_row_leads_to_a_class_that_does_the_work(row: TransportRow) -> None:
    made = transports.of(row.name)
    assert transports.Transport in type(made).__mro__
    assert type(made).__module__ == f"saltdeploy.transports.{row.name}"


@each_row
def test_a_first_install_brings_the_first_kind_and_none_that_the_row_does_not_name(
    row: TransportRow, traveller: Travellers
) -> None:
    order = traveller(row.name).order_for(0)
    found = [payload.kind for payload in order.payloads]
    assert set(found) <= set(row.kinds)
    assert found[:1] == list(row.kinds[:1])
    assert all(not payload.base for payload in order.payloads if payload.kind == row.kinds[0])


@each_row
def test_an_upgrade_is_packed_with_kinds_of_the_row(row: TransportRow, traveller: Travellers) -> None:
    target = traveller(row.name)
    for number in (0, 1):
        assert all(result.ok for result in target.travel(number))
    kinds = {payload.kind for payload in target.order_for(2).payloads}
    assert kinds <= set(row.kinds)
    assert bool(kinds) == bool(row.kinds)


@each_row
def test_auto_knows_what_is_packed_of_what_it_chooses_from(row: TransportRow, traveller: Travellers) -> None:
    if row.cost is None or row.name == config_transports.DEFAULT:  # of which it never asks that
        return
    target = traveller(row.name)
    old, new = (target.source.tag(number).commit for number in (0, 1))
    way = transports.of(row.name)
    assert not way.is_packed(target.payloads, "demo", new, old)
    assert target.fetch(0).ok
    assert target.fetch(1).ok
    target.order_for(1)
    way.pack(target.payloads, target.source.repository, "demo", target.source.tag(1), old)
    assert way.is_packed(target.payloads, "demo", new, old)


@each_row
def test_a_key_that_says_where_targets_fetch_from_is_asked_for(row: TransportRow, tmp_path: Path) -> None:
    if not row.url:
        return
    assert row.url in REPO_KEYS
    source = Source(tmp_path / "source", tree(a="1"))
    store = Repository(tmp_path / "store")
    store.ensure()
    arrival = transports.Arrival(repo(Path("/srv/demo")), store, Copies(None), tmp_path)  # type: ignore[arg-type]
    order = Order("2" * 20, 1, FETCH, source.release(0), row.name)
    with pytest.raises(ConfigError) as caught:
        transports.of(row.name).unpack(order, arrival, no_progress)
    assert caught.value.path == f"repo_config:demo:{row.url}"


@pytest.mark.parametrize("layout", LAYOUTS)
@each_row
def test_the_pillar_takes_the_layouts_of_the_row_and_no_others(row: TransportRow, layout: str) -> None:
    def load() -> Repo:
        return repo(Path("/srv/demo"), transport=row.name, layout=layout)

    if layout in row.layouts:
        assert layouts.of(load())
        return
    with pytest.raises(DeployError, match=f"of what transport {row.name} brings") as caught:
        load()
    offered = re.findall(r"\w+", caught.value.next.partition(",")[0])
    assert {each.name for each in TABLE.rows() if layout in each.layouts} <= set(offered)


@each_row
def test_the_pages_say_of_a_transport_what_the_row_says(row: TransportRow, checkout: Path) -> None:
    page = (checkout / "docs" / "transports.md").read_text()
    (told,) = re.findall(rf"^\| `{row.name}`(?: \(default\))? \|(.+)\|$", page, re.MULTILINE)[:1]
    *_, needs, with_layouts = told.split("|")
    fit = set(LAYOUTS) if with_layouts.strip() == "all" else set(re.findall(r"`(\w+)`", with_layouts))
    assert fit == set(row.layouts)
    assert {*row.programs, *row.packers} <= set(re.findall(r"`(\w+)`", needs))
    assert f"`{row.name}`" in (checkout / "docs" / "configuration.md").read_text()
    assert f"`{row.name}`" in (checkout / "pillar" / "deploy.sls").read_text()


@each_row
def test_the_pages_name_what_travels_by_swarm(row: TransportRow, checkout: Path) -> None:
    written = f"`{row.name}+swarm`"
    for page in ("docs/transports.md", "docs/configuration.md", "pillar/deploy.sls"):
        said = written in (checkout / page).read_text()
        assert said == (row.swarm and row.name != config_transports.DEFAULT), page


@each_row
def test_the_page_has_the_costs_that_auto_reckons_with(row: TransportRow, checkout: Path) -> None:
    if row.cost is None or row.name == config_transports.DEFAULT:
        return
    page = (checkout / "docs" / "transports.md").read_text()
    assert re.search(
        rf"^\| `{row.name}` \| .* \| {row.cost.packing} s \| {row.cost.unpacking} s \|$", page, re.MULTILINE
    )
