"""Capistrano 3 with its git plugin over ssh: a mirror on each target, ``git archive`` into a new release, a link."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from bench.peers.peer import KEPT, NEW_DIRECTORY
from bench.peers.shells import WebShell
from bench.rig.host import Host
from bench.rig.ssh import PORT

_CAPFILE = """require "capistrano/setup"
require "capistrano/deploy"
require "capistrano/scm/git"
install_plugin Capistrano::SCM::Git
"""


class Capistrano(WebShell):
    """All hosts at once, as is its default."""

    name = "capistrano"
    source = "https://capistranorb.com/documentation/getting-started/flow/"
    programs = ("cap", "git")
    way = NEW_DIRECTORY
    apart = True
    adds = (b"REVISION",)

    @contextlib.contextmanager
    def ready(self) -> Iterator[None]:
        with super().ready():
            work = self.place.work
            (work / "config" / "deploy").mkdir(parents=True)
            (work / "Capfile").write_text(_CAPFILE)
            (work / "config" / "deploy.rb").write_text(self._settings())
            servers = [
                f'server "{host.address}", user: "root", port: {PORT}, roles: [:app]'
                for host in self.rig.targets
            ]
            (work / "config" / "deploy" / "production.rb").write_text("\n".join(servers) + "\n")
            yield

    def install(self, tag: str) -> None:
        self.upgrade(tag)

    def upgrade(self, tag: str) -> None:
        self.on_hub("env", f"RELEASE={tag}", "cap", "production", "deploy")

    def rollback(self, tag: str) -> None:
        self.on_hub("cap", "production", "deploy:rollback")

    def live(self, host: Host) -> Path:
        return host.srv / "cap" / "current"

    def _settings(self) -> str:
        return f"""lock "~> 3"
set :application, "app"
set :repo_url, "{self.web.url}/smart/origin.git"
set :branch, ENV["RELEASE"]
set :deploy_to, "/srv/cap"
set :tmp_dir, "/srv"
set :keep_releases, {KEPT}
set :git_max_concurrent_connections, {len(self.rig.targets)}
set :format, :simpletext
set :log_level, :info
set :ssh_options, {{ keys: ["{self.ssh.key}"], keys_only: true, verify_host_key: :never, auth_methods: ["publickey"] }}
"""


PEERS = (Capistrano,)
