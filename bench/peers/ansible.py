"""Ansible over ssh, with a directory for each release and a link: by git, and by rsync (``synchronize``).

The steps are those of the role ansistrano.deploy, in a playbook without its questions and hooks.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from typing import Any

from bench import cache
from bench.peers.peer import KEPT, NEW_DIRECTORY
from bench.peers.shells import WebShell, directory_of
from bench.rig.ssh import PORT

Task = dict[str, Any]


class _Ansible(WebShell):
    way = NEW_DIRECTORY
    apart = True

    @classmethod
    def missing(cls) -> str:
        return super().missing() or ("" if _playbook() else "no ansible-playbook on this machine")

    @contextlib.contextmanager
    def ready(self) -> Iterator[None]:
        with super().ready():
            work = self.place.work
            options = f"-F {self.ssh.config}"
            lines = [
                f"{host.name} ansible_host={host.name} ansible_port={PORT} ansible_user=root"
                for host in self.rig.targets
            ]
            (work / "inventory").write_text("\n".join(lines) + "\n")
            # pipelining, forks and kept connections are what its documentation names for speed
            (work / "ansible.cfg").write_text(
                f"[defaults]\ninventory = {work}/inventory\nforks = {len(lines)}\ngathering = explicit\n"
                f"host_key_checking = False\nremote_tmp = /srv/.ansible\ninterpreter_python = /usr/bin/python3\n"
                f"[ssh_connection]\npipelining = True\nssh_args = {options}\n"
            )
            yield

    def install(self, tag: str) -> None:
        self._play(tag, [{"file": {"path": "/srv/releases", "state": "directory"}}, *self._release(tag)])

    def upgrade(self, tag: str) -> None:
        self._play(tag, self._release(tag))

    def rollback(self, tag: str) -> None:
        self._play(tag, [self._link(tag)])

    def _release(self, tag: str) -> list[Task]:
        clean = f"ls -1dt /srv/releases/* | tail -n +{KEPT + 1} | xargs -r rm -rf"
        touch = {"path": f"/srv/releases/{directory_of(tag)}", "state": "touch"}
        return [*self._bring(tag), {"file": touch}, self._link(tag), {"shell": clean}]

    def _bring(self, tag: str) -> list[Task]:
        raise NotImplementedError

    def _link(self, tag: str) -> Task:
        # the module makes a new link and renames it
        return {"file": {"src": f"/srv/releases/{directory_of(tag)}", "dest": "/srv/app", "state": "link"}}

    def _play(self, tag: str, tasks: list[Task]) -> None:
        book = self.place.work / "deploy.yml"
        # JSON is YAML
        book.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}], indent=1))
        self.on_hub("env", f"ANSIBLE_CONFIG={self.place.work}/ansible.cfg", _playbook(), book)


def _playbook() -> str | None:
    """Where Ansible is: in an environment of its own (``tools/peers``), or installed."""
    own = cache() / "ansible" / "bin" / "ansible-playbook"
    return str(own) if own.exists() else shutil.which("ansible-playbook")


class AnsibleGit(_Ansible):
    """Module git into a clone, ``git checkout-index`` into the new release."""

    name = "ansible-git"
    source = "https://github.com/ansistrano/deploy/blob/master/tasks/update-code/git.yml"

    def _bring(self, tag: str) -> list[Task]:
        url, to = f"{self.web.url}/smart/origin.git", f"/srv/releases/{directory_of(tag)}"
        fetch = {"repo": url, "dest": "/srv/repo", "version": tag, "update": True, "force": True}
        export = {"cmd": f"git checkout-index -f -a --prefix={to}/", "chdir": "/srv/repo"}
        return [{"git": fetch}, {"command": export}]


class AnsibleSynchronize(_Ansible):
    """Module synchronize into the new release, with hard links to the live one where files are the same."""

    name = "ansible-synchronize"
    source = "https://docs.ansible.com/ansible/latest/collections/ansible/posix/synchronize_module.html"
    programs = ("rsync",)

    def _bring(self, tag: str) -> list[Task]:
        rsync = {
            "src": f"{self.place.staging}/",
            "dest": f"/srv/releases/{directory_of(tag)}/",
            "delete": True,
            "archive": True,
            "link_dest": "/srv/app/",
            "use_ssh_args": True,
        }
        return [{"ansible.posix.synchronize": rsync}]


PEERS = (AnsibleGit, AnsibleSynchronize)
