"""A host is synced from the version before to this one, as ``saltutil.sync_all`` does it, and jobs start between its steps.

Salt copies modules, states and grains before the package, file by file, and deletes what the new version has no more
where ``clean_dynamic_modules`` is true.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import salt.config
import salt.utils.extmods
from saltdeploy.protocol.orders import FETCH, Order

from tests.functional.test_target_steps import pillar
from tests.support.installed import copy_doors
from tests.support.old_version import NEW, OLD, extract, put
from tests.support.repositories import Source, tree

#: The order of ``saltutil.sync_all``.
BEFORE_THE_PACKAGE = ("modules", "states", "grains", "returners", "output")
#: How much of the package has been copied when a job starts.
SHARES = (0.01, 0.5, 0.99)
#: What a job says that meets two versions.
REFUSALS = ("the door is saltdeploy", "the package saltdeploy is being replaced by version")

#: A job of a minion: a process of its own, with what it finds on the disk.
JOB = """
import json, sys
import salt.client, salt.config
caller = salt.client.Caller(mopts=salt.config.minion_config(sys.argv[1]))
functions, said = caller.sminion.functions, ""
for function in ("deploy.fetch", "deploy.checkout"):
    said = functions[function]("demo", order=json.loads(sys.argv[2])) if function in functions else functions.missing_fun_string(function)
    if not isinstance(said, dict) or said["status"]:
        break
print(json.dumps(said))
"""


@dataclass
class SyncedHost:
    """A host without a master, to which Salt's own function syncs what the file server has.

    Attributes:
        place: its disk.
        source: the releases.
    """

    place: Path
    source: Source
    cleans: bool

    def __post_init__(self) -> None:
        location = self.place / "srv" / "demo"
        repo = {"location": str(location), "url": f"file://{self.source.git_dir}", "transport": "git"}
        settings = {
            "id": "web1",
            "file_client": "local",
            "user": pwd.getpwuid(os.getuid()).pw_name,
            "root_dir": str(self.place),
            "cachedir": str(self.place / "cache"),
            "pki_dir": str(self.place / "pki"),
            "sock_dir": str(self.place / "run"),
            "extension_modules": str(self.place / "extmods"),
            "clean_dynamic_modules": self.cleans,
            "file_roots": {"base": [str(self.place / "offered")]},
            "pillar_roots": {"base": [str(pillar(self.place / "pillar", {"repo_config": {"demo": repo}}))]},
            "enable_fqdns_grains": False,
            "fileserver_list_cache_time": 0,  # else the second sync copies by the list of the first, for twenty seconds
        }
        self._file = self.place / "minion"
        self._file.write_text(json.dumps(settings))  # JSON is YAML
        self._opts = salt.config.minion_config(str(self._file))
        self._deploys = 0

    def sync(self, *forms: str) -> None:
        """What ``saltutil.sync_<form>`` does."""
        for form in forms:
            salt.utils.extmods.sync(self._opts, form)

    @property
    def package(self) -> Path:
        return self.place / "extmods" / "utils"

    def copy(self, share: float) -> None:
        """Copy as many files of the package as Salt has at some moment, in its order."""
        new = self.place / NEW / "_utils"
        files = sorted((path.relative_to(new) for path in new.rglob("*.py")), key=str)
        for file in files[: int(share * len(files))]:
            (self.package / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(new / file, self.package / file)

    def deploy(self) -> Any:
        """Let a job deploy the next release; what it says."""
        self._deploys += 1
        release = self.source.release(self._deploys % 2)
        order = Order(f"{self._deploys:020d}", self._deploys, FETCH, release, "git").to_wire()
        done = subprocess.run(
            [sys.executable, "-c", JOB, str(self._file), json.dumps(order)], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    def shown(self) -> str:
        return (self.place / "srv" / "demo" / "VERSION").read_text()


@pytest.mark.parametrize("cleans", [True, False], ids=["deletes what is stale", "leaves what is stale"])
def test_a_job_between_two_steps_of_a_sync_deploys_or_is_refused_by_name(
    checkout: Path, tmp_path: Path, *, cleans: bool
) -> None:
    extract(checkout, tmp_path / OLD)
    copy_doors(checkout, tmp_path / NEW)
    put(tmp_path / "offered", tmp_path / OLD)
    source = Source(tmp_path / "demo.git", tree(VERSION="v0"), tree(VERSION="v1"))
    host = SyncedHost(tmp_path, source, cleans)
    host.sync(*BEFORE_THE_PACKAGE, "utils")
    said = host.deploy()
    assert (said["status"], host.shown()) == (0, "v1"), said

    put(tmp_path / "offered", tmp_path / NEW)
    refusals = {}
    for form in BEFORE_THE_PACKAGE:
        host.sync(form)
        refusals[form] = host.deploy()
    for share in SHARES:
        host.copy(share)
        refusals[f"{share:.0%} of the package"] = host.deploy()
    print(json.dumps(refusals, indent=1))
    assert [step for step, said in refusals.items() if not any(each in str(said) for each in REFUSALS)] == []
    assert host.shown() == "v1"

    host.sync("utils")
    for version in ("v0", "v1") if host._deploys % 2 else ("v1", "v0"):
        said = host.deploy()
        assert isinstance(said, dict), said
        assert (said["status"], host.shown()) == (0, version), said
    assert (host.package / "saltdeploy" / "config.py").exists() is not cleans
