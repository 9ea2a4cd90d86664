"""Why ``git deploy`` does not go on: Trigger's own sentence and exit code, and a line of ours behind it."""

from __future__ import annotations

from saltdeploy.lib.errors import DeployError

CONFIGURATION = 1
USAGE = 2
ALREADY_STARTED, LOCK_NOT_WRITTEN = 100, 101
NOTHING_TO_ABORT, NOT_STARTED_OR_LOCKED, OF_SOMEBODY_ELSE = 130, 131, 132
NOT_STARTED, DIRTY, NOT_SYNCED = 160, 161, 163
NO_TAG, NO_COMMIT = 190, 191
NO_SUCH_ACTION, SERVICE_FAILED = 200, 201
NO_REPORT, NO_DEPLOY_FILE, NO_TAG_IN_DEPLOY_FILE = 210, 211, 212
WRONG_UMASK = 220


class Refusal(DeployError):
    """The command ends here.

    Args:
        message: what Trigger said, byte for byte.
        code: the exit code.
        cause, places: of the line behind it; without a cause there is none.
    """

    kind = "git-deploy"

    def __init__(self, message: str, code: int, cause: str = "", **places: str) -> None:
        super().__init__(cause, **places)  # type: ignore[arg-type]
        self.message = message
        self.status = code

    @property
    def lines(self) -> list[str]:
        """What a person reads."""
        return [line for line in (self.message, str(self) if self.cause else "") if line]


def because(message: str, code: int, error: DeployError, repo: str = "") -> Refusal:
    """The refusal whose reason is an error of ours."""
    return Refusal(
        message, code, error.cause, repo=error.repo or repo, host=error.host, path=error.path, next=error.next
    )
