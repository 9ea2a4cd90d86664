"""lighttpd on the hub: git repositories by smart http and by dumb http, and plain files.

git's manual tells how (git-http-backend(1)). Not nginx and fcgiwrap: that one forgets its children, so that nobody could
tell what they had cost.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

from bench.rig.rig import Rig

PORT = 8080
_PATIENCE = 30.0
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin"


class Web:
    """Starts lighttpd with git's own ``http-backend``.

    Attributes:
        url: of the server; ``/smart/<name>.git`` and ``/plain/<path>`` lead to what lies in ``root``.
        root: the directory that is served.
    """

    def __init__(self, rig: Rig, root: Path) -> None:
        self.root, self.url = root, f"http://{rig.hub.address}:{PORT}"
        home = rig.hub.state / "web"
        home.mkdir()
        (home / "conf").write_text(self._configuration(rig.hub.address, home))
        rig.hub.launch(_program(), "-D", "-f", home / "conf")
        deadline = time.monotonic() + _PATIENCE
        while not (home / "pid").exists():
            if time.monotonic() > deadline:
                raise SystemExit(f"lighttpd: {(rig.hub.state / 'out').read_text()}")
            time.sleep(0.05)

    def _configuration(self, address: str, home: Path) -> str:
        return f"""
server.modules = ("mod_alias", "mod_cgi", "mod_setenv")
server.bind = "{address}"
server.port = {PORT}
server.document-root = "{self.root}"
server.pid-file = "{home}/pid"
server.errorlog = "{home}/error"
server.upload-dirs = ("{home}")
server.stream-response-body = 1
server.max-keep-alive-requests = 100000
alias.url = ("/smart" => "{_backend()}", "/plain/" => "{self.root}/")
$HTTP["url"] =~ "^/smart/" {{
  cgi.assign = ("" => "")
  setenv.set-environment = ("GIT_PROJECT_ROOT" => "{self.root}", "GIT_HTTP_EXPORT_ALL" => "1")
}}
"""


def available() -> str:
    """Why it cannot be started here; empty if it can."""
    return "" if shutil.which("lighttpd", path=_PATH) else "no lighttpd"


def _program() -> str:
    found = shutil.which("lighttpd", path=_PATH)
    assert found is not None
    return found


def _backend() -> Path:
    where = subprocess.run(["git", "--exec-path"], check=True, capture_output=True, text=True).stdout.strip()
    return Path(where, "git-http-backend")
