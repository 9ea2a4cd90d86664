"""What Salt calls the process of a runner's job: by that name a brief call loads no more than it needs."""

from __future__ import annotations

import inspect

import salt.client.mixins
from saltdeploy.lib import lifetime


def test_salt_names_the_process_of_a_job_as_we_read_it() -> None:
    source = inspect.getsource(salt.client.mixins)
    assert '"ProcessFunc({}, fun={} jid={})"' in source
    assert lifetime.is_job_of(()) is False
