"""nginx on the hub: git repositories by smart http and by dumb http, and plain files."""

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
    """Starts nginx, and fcgiwrap with git's own ``http-backend`` behind it.

    Attributes:
        url: of the server; ``/smart/<name>.git`` and ``/plain/<path>`` lead to what lies in ``root``.
        root: the directory that is served.
    """

    def __init__(self, rig: Rig, root: Path) -> None:
        self.root, self.url = root, f"http://{rig.hub.address}:{PORT}"
        home = rig.hub.state / "web"
        home.mkdir()
        socket = rig.hub.state / "fcgi"
        rig.hub.launch(_program("fcgiwrap"), "-c", os.cpu_count(), "-s", f"unix:{socket}")
        (home / "nginx.conf").write_text(self._configuration(rig.hub.address, home, socket))
        rig.hub.launch(_program("nginx"), "-p", home, "-c", home / "nginx.conf", "-e", home / "error")
        deadline = time.monotonic() + _PATIENCE
        while not (socket.exists() and (home / "pid").exists()):
            if time.monotonic() > deadline:
                raise SystemExit(f"nginx: {(rig.hub.state / 'out').read_text()}")
            time.sleep(0.05)

    def _configuration(self, address: str, home: Path, socket: Path) -> str:
        user = "user root;" if os.getuid() == 0 else ""
        temporary = "".join(
            f"{kind}_temp_path {home}/{kind};\n"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        return f"""{user}
worker_processes auto;
daemon off;
pid {home}/pid;
events {{ worker_connections 1024; }}
http {{
  {temporary}
  access_log off;
  sendfile on;
  tcp_nopush on;
  client_max_body_size 0;
  keepalive_requests 1000000;
  server {{
    listen {address}:{PORT};
    location /plain/ {{ alias {self.root}/; }}
    location /smart/ {{
      fastcgi_pass unix:{socket};
      fastcgi_buffering off;
      fastcgi_read_timeout 3600;
      fastcgi_param SCRIPT_FILENAME {_backend()};
      fastcgi_param GIT_PROJECT_ROOT {self.root};
      fastcgi_param GIT_HTTP_EXPORT_ALL 1;
      fastcgi_param GIT_PROTOCOL $http_git_protocol;
      fastcgi_param PATH_INFO $git_path;
      fastcgi_param QUERY_STRING $query_string;
      fastcgi_param REQUEST_METHOD $request_method;
      fastcgi_param CONTENT_TYPE $content_type;
      fastcgi_param CONTENT_LENGTH $content_length;
      fastcgi_param HTTP_CONTENT_ENCODING $http_content_encoding;
    }}
  }}
  map $uri $git_path {{ ~^/smart(?<path>/.*)$ $path; }}
}}
"""


def available() -> str:
    """Why it cannot be started here; empty if it can."""
    missing = [name for name in ("nginx", "fcgiwrap") if shutil.which(name, path=_PATH) is None]
    return f"no {missing[0]}" if missing else ""


def _program(name: str) -> str:
    found = shutil.which(name, path=_PATH)
    assert found is not None
    return found


def _backend() -> Path:
    where = subprocess.run(["git", "--exec-path"], check=True, capture_output=True, text=True).stdout.strip()
    return Path(where, "git-http-backend")
