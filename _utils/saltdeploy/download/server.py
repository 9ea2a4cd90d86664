"""A server of payloads for small fleets, made of tornado, which comes with Salt.

It serves ``/<sha256>`` and nothing else: every other name is not found, and nothing is listed. A payload never changes,
so caches may keep it for ever (``immutable``, RFC 8246); parts of it may be asked for (RFC 9110 section 14).
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from tornado import httpserver, netutil, web

from saltdeploy.content.payloads import Payloads

_YEAR = 31_536_000  # seconds


class _Payload(web.StaticFileHandler):
    """One payload; tornado does the ranges."""

    def initialize(self, payloads: Payloads) -> None:  # type: ignore[override]
        self._payloads = payloads
        self.root = ""

    @classmethod
    def get_absolute_path(cls, root: str, path: str) -> str:
        return path

    def validate_absolute_path(self, root: str, absolute_path: str) -> str:
        place = self._payloads.path(absolute_path)
        if place is None:
            raise web.HTTPError(404)
        os.utime(place)  # somebody wants it: it is not collected yet
        return str(place)

    @classmethod
    def get_content_version(cls, abspath: str) -> str:
        return os.path.basename(abspath)

    def get_content_type(self) -> str:
        return "application/octet-stream"

    def get_modified_time(self) -> None:
        """None: the name says it all, and the time is that of the last use."""

    def set_extra_headers(self, path: str) -> None:
        self.set_header("Cache-Control", f"public, max-age={_YEAR}, immutable")


def application(directory: Path) -> web.Application:
    """What serves the payloads in a directory, read-only."""
    routes = [(r"/(.*)", _Payload, {"payloads": Payloads(directory)})]
    return web.Application(routes, log_function=lambda handler: None)


async def serve(directory: Path, address: str, port: int) -> None:
    """Serve until the task is cancelled.

    Raises:
        OSError: the port is taken, or the address is not ours.
    """
    server = httpserver.HTTPServer(application(directory))
    server.add_sockets(netutil.bind_sockets(port, address))
    try:
        await asyncio.Event().wait()
    finally:
        server.stop()
        await server.close_all_connections()
