"""What a host without Salt is sent: the package without the master's side, and what it lacks, if that runs there."""

from __future__ import annotations

import hashlib
import io
import os
import sys
import zipfile
from typing import Any

import pytest
from saltdeploy.lib.errors import Unsupported
from saltdeploy.master.fleet.ssh import archives


def greeting(*lacks: str, **more: Any) -> dict[str, Any]:
    """What a host like this one says of itself."""
    here = {
        "python": list(sys.version_info[:3]),
        "machine": os.uname().machine,
        "libc": os.confstr("CS_GNU_LIBC_VERSION"),
    }
    return {**here, "lacks": list(lacks), **more}


def names(archive: archives.HostArchive | None) -> set[str]:
    assert archive is not None
    return set(zipfile.ZipFile(io.BytesIO(archive.data)).namelist())


def test_the_package_comes_without_what_only_a_master_needs_and_is_the_same_bytes_each_time() -> None:
    first, second = archives.of_package(), archives.of_package()
    assert first.sha256 == second.sha256 == hashlib.sha256(first.data).hexdigest()
    assert {"saltdeploy/__init__.py", "saltdeploy/written_last.py", "saltdeploy/minion/stages.py"} <= names(
        first
    )
    assert not [name for name in names(first) if name.startswith(("saltdeploy/master/", "saltdeploy/web/"))]


def test_a_host_that_lacks_nothing_is_sent_no_library() -> None:
    assert archives.of_libraries(greeting(), "app1") is None


def test_a_host_of_another_kind_is_sent_what_is_plain_python() -> None:
    found = names(archives.of_libraries(greeting("yaml", "requests", machine="riscv64"), "app1"))
    assert {"yaml/__init__.py", "requests/__init__.py", "urllib3/__init__.py"} <= found
    assert not [name for name in found if name.endswith(".so")]


def test_a_host_like_the_master_is_sent_what_is_compiled() -> None:
    assert "psutil/__init__.py" in names(archives.of_libraries(greeting("psutil"), "app1"))


@pytest.mark.parametrize("other", [{"machine": "riscv64"}, {"libc": ""}])
def test_a_host_on_which_the_masters_would_not_run_is_told_what_to_install(other: dict[str, Any]) -> None:
    with pytest.raises(Unsupported, match="it has no psutil") as refused:
        archives.of_libraries(greeting("psutil", **other), "app1")
    assert (refused.value.host, "python3-psutil" in refused.value.next) == ("app1", True)
