"""The engine that serves payloads, as Salt's own loader finds and starts it."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import salt.config
import salt.loader
from saltdeploy.content.payloads import Payloads
from saltdeploy.download.http import Http
from saltdeploy.git.repository import no_progress
from saltdeploy.protocol.fanout import FanoutServer

from tests.functional.test_doors import by_module_dirs
from tests.support.payloadserver import DATA, PAYLOAD, accepts
from tests.support.serving import free_port, until


def test_a_minion_serves_what_was_brought_to_it(checkout: Path, tmp_path: Path) -> None:
    _, configuration = by_module_dirs(checkout, tmp_path)
    opts = salt.config.minion_config(str(configuration))
    aside = tmp_path / "aside"
    aside.write_bytes(DATA)
    Payloads(Path(opts["cachedir"], "deploy", "payloads")).add(PAYLOAD, aside)
    port = free_port()

    def serve() -> None:
        salt.loader.engines(opts, {}, {}, {})["deploy_payloads.start"](port=port)

    process = multiprocessing.get_context("fork").Process(target=serve)
    process.start()
    try:
        until(lambda: accepts(port) or not process.is_alive())
        Http(FanoutServer(f"http://127.0.0.1:{port}")).fetch(PAYLOAD, tmp_path / "file", no_progress)
    finally:
        process.kill()
        process.join()
    assert (tmp_path / "file").read_bytes() == DATA
