"""What belongs to one call of a minion's door.

It stands here and not in the door: Salt may load the door anew while a call of it runs (a sync, or a function that looks
through all modules), and what the door holds is replaced then.
"""

from __future__ import annotations

import contextvars

#: The id of the Salt job that calls; a state or another function that calls has none.
JOB = contextvars.ContextVar("job", default="")
#: Whether the master was asked by the call that calls: the stages of one call ask once.
HAS_ASKED = contextvars.ContextVar("has_asked", default=False)
