"""What this project needs of Salt; git's share is in repository.py."""

from __future__ import annotations

from saltdeploy.lib.errors import SaltTooOld

MIN_SALT = (3006,)


def check_salt(version: tuple[object, ...], host: str = "") -> None:
    """Refuse a Salt that is too old.

    Args:
        version: ``salt.version.__version_info__``.
        host: where it runs.

    Raises:
        SaltTooOld: it is.
    """
    numbers = tuple(part for part in version[:2] if isinstance(part, int))
    if numbers < MIN_SALT:
        found, needed = (".".join(map(str, parts)) for parts in (numbers, MIN_SALT))
        raise SaltTooOld(
            f"Salt {found} is too old; {needed} or newer is needed",
            host=host,
            next="upgrade Salt on this host, then run the same command again",
        )
