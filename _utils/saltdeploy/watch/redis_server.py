"""The redis that takes what deploys tell: how it is reached, and what goes into it at once or not at all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from saltdeploy.lib.errors import DeployError
from saltdeploy.watch.redis_keys import REPOS, Command, forget

if TYPE_CHECKING:
    import redis


@dataclass(frozen=True)
class RedisSettings:
    """Made by the door; the keys are those of ``deployment_config:redis`` in the pillar.

    Attributes:
        host, port, db: where it listens, and which of its databases.
        socket_connect_timeout: seconds that it may take to answer, at each step.
        username, password: with which one logs in; "" for none. No text of this program shows the password.
        most_events: that the stream of our own events keeps, about.
    """

    host: str = "localhost"
    port: int = 6379
    db: int = 0
    socket_connect_timeout: float = 5.0
    username: str = ""
    password: str = field(default="", repr=False)
    most_events: int = 100_000

    @property
    def place(self) -> str:
        """As people are told of it."""
        return f"redis {self.host}:{self.port}/{self.db}"


class RedisServer:
    """A connection, which is opened by the first thing that is asked of it."""

    def __init__(self, settings: RedisSettings) -> None:
        try:
            import redis
        except ImportError as error:
            raise DeployError(
                "the library redis is not installed", next="salt-pip install 'saltext-deploy[redis]'"
            ) from error
        self.settings = settings
        self._errors: tuple[type[Exception], ...] = (redis.RedisError, OSError)
        self._client: redis.Redis = redis.Redis(
            host=settings.host,
            port=settings.port,
            db=settings.db,
            username=settings.username or None,
            password=settings.password or None,
            socket_connect_timeout=settings.socket_connect_timeout,
            socket_timeout=settings.socket_connect_timeout,
            decode_responses=True,
        )

    def write(self, commands: Iterable[Command]) -> None:
        """Carry out all of these in one transaction.

        Raises:
            DeployError: it does not take them.
        """
        try:
            with self._client.pipeline(transaction=True) as pipeline:
                for command in commands:
                    pipeline.execute_command(*command)
                pipeline.execute()
        except self._errors as error:
            raise self._refused(error) from error

    def text(self, key: str) -> str:
        """The text at a key; "" for none."""
        try:
            return str(self._client.get(key) or "")
        except self._errors as error:
            raise self._refused(error) from error

    def table(self, key: str) -> dict[str, str]:
        """The hash at a key."""
        try:
            return {str(name): str(text) for name, text in self._client.hgetall(key).items()}
        except self._errors as error:
            raise self._refused(error) from error

    def forget(self, host: str) -> None:
        """Take a host out of every repo.

        Raises:
            DeployError: it does not answer.
        """
        try:
            repos = sorted(map(str, self._client.smembers(REPOS)))
        except self._errors as error:
            raise self._refused(error) from error
        self.write(forget(repos, host))

    def close(self) -> None:
        """Give the connection back."""
        self._client.close()

    def _refused(self, error: Exception) -> DeployError:
        said = str(error)[:300]
        if self.settings.password:
            said = said.replace(self.settings.password, "***")
        return DeployError(
            f"{self.settings.place} does not take what deploys tell: {type(error).__name__}: {said}",
            next="see to it; meanwhile the journals keep everything, and redis is filled from them",
        )
