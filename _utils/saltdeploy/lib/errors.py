"""Every error of the project, in one tree, and its form on the wire.

An error carries things (repo, host, path, next command), never text that somebody must match later.
It crosses Salt as plain data (:meth:`DeployError.to_wire`) and comes back as the same class
(:func:`saltdeploy.lib.wire_errors.from_wire`).

Status numbers: 0-128 belong to Trebuchet and to git (a failed git command reports git's own exit code),
129 is git's usage error, so the numbers of this project start at 140.
"""

from __future__ import annotations

from typing import Any, ClassVar

from saltdeploy.lib.text import legible


class DeployError(Exception):
    """Something went wrong that an operator should read about.

    Args:
        cause: one sentence, what happened.
        repo, host, path: what it happened to, as far as it is known.
        next: the command or the act that leads on from here.
        status: overrides the class's number (used for git's own exit codes).
    """

    kind: ClassVar[str] = "unexpected"
    status: int = 140
    #: Whether it is the host's own trouble, for which no release is to blame.
    of_the_host: ClassVar[bool] = False
    inconclusive: ClassVar[bool] = False

    def __init__(
        self,
        cause: str,
        *,
        repo: str = "",
        host: str = "",
        path: str = "",
        next: str = "",  # noqa: A002 - the word that operators read
        status: int | None = None,
    ) -> None:
        super().__init__(cause)
        self.cause = cause
        self.repo = repo
        self.host = host
        self.path = path
        self.next = next
        if status is not None:
            self.status = status

    def __str__(self) -> str:
        """One line: where, what, and what to do next."""
        where = [f"{name} {value}" for name, value in self._places() if value]
        line = f"{', '.join(where)}: {self.cause}" if where else self.cause
        return f"{line}. Next: {self.next}" if self.next else line

    def _places(self) -> list[tuple[str, str]]:
        return [("repo", self.repo), ("host", self.host), ("path", self.path)]

    def at(self, *, repo: str = "", host: str = "", path: str = "") -> DeployError:
        """Fill in places that the raiser did not know; what is known already stays.

        Returns:
            The same error, for ``raise error.at(repo=...)``.
        """
        self.repo = self.repo or repo
        self.host = self.host or host
        self.path = self.path or path
        return self

    def to_wire(self) -> dict[str, Any]:
        """The error as plain data, safe for JSON and msgpack."""
        return {
            "kind": self.kind,
            "status": self.status,
            "cause": legible(self.cause),
            "repo": legible(self.repo),
            "host": legible(self.host),
            "path": legible(self.path),
            "next": legible(self.next or self.usual),
        }

    @property
    def usual(self) -> str:
        """What leads on from here where the raiser knew nothing better: whoever reads it is never left without."""
        return f"salt-run deploy.doctor repo={self.repo}" if self.repo else "salt-run deploy.doctor"


class ConfigError(DeployError):
    """Something in the pillar is not valid; ``path`` is the pillar path."""

    kind = "config"
    status = 141

    def _places(self) -> list[tuple[str, str]]:
        return [("repo", self.repo), ("host", self.host), ("pillar", self.path)]


class Fenced(DeployError):
    """An order of an older deploy arrived after a newer one."""

    kind = "fenced"
    status = 142


class DiskFull(DeployError):
    """Not enough space or inodes; found before anything was written wherever possible."""

    kind = "disk-full"
    status = 143
    of_the_host = True


class NoPermission(DeployError):
    """The process may not read or write a path."""

    kind = "no-permission"
    status = 144
    of_the_host = True


class ReadOnly(NoPermission):
    """The file system is mounted read-only on this host."""

    kind = "read-only"
    status = 191


class Immutable(NoPermission):
    """A path has an attribute (chattr) by which nobody may change it."""

    kind = "immutable"
    status = 192


class GitUnusable(DeployError):
    """git is missing, or older than what this project needs."""

    kind = "git-unusable"
    status = 145


class Unavailable(DeployError):
    """A repository or a payload could not be reached or read."""

    kind = "unavailable"
    status = 146


class Corrupt(DeployError):
    """Bytes are not what their digest says, or a tree is not what its record says."""

    kind = "corrupt"
    status = 147


class NoSuchTag(DeployError):
    """The tag does not exist in the repository."""

    kind = "no-such-tag"
    status = 148


class NoSuchRevision(DeployError):
    """A branch or a commit that is named does not exist in the source, or it is not clear which one is meant."""

    kind = "no-such-revision"
    status = 197


class MovedTag(DeployError):
    """The tag names another commit than when it was deployed."""

    kind = "moved-tag"
    status = 149


class SlotsBusy(DeployError):
    """Every spare slot is in use by a process."""

    kind = "slots-busy"
    status = 150


class Locked(DeployError):
    """Somebody else is deploying this repo."""

    kind = "locked"
    status = 151


class NothingToRollBackTo(DeployError):
    """There is no earlier release to go back to."""

    kind = "nothing-to-roll-back-to"
    status = 152


class NoTargets(DeployError):
    """No minion takes this repo."""

    kind = "no-targets"
    status = 153


class UnknownRepo(DeployError):
    """The repo is not in the pillar."""

    kind = "unknown-repo"
    status = 154


class Unreachable(DeployError):
    """A host did not answer, though it was asked again."""

    kind = "unreachable"
    status = 155
    inconclusive = True


class NoBase(DeployError):
    """None of the offered payloads fits what the host holds; a better one can be packed."""

    kind = "no-base"
    status = 156


class SaltTooOld(DeployError):
    """Salt is older than what this project supports."""

    kind = "salt-too-old"
    status = 157


class Forged(DeployError):
    """An answer that the host whose name it bears did not give."""

    kind = "forged"
    status = 158


class HookFailed(DeployError):
    """A module call, ``depool`` or ``repool`` that the pillar asks for failed."""

    kind = "hook-failed"
    status = 159


class Unsupported(DeployError):
    """The repo asks for something that this version does not do."""

    kind = "unsupported"
    status = 160


class NotReady(DeployError):
    """A checkout was asked for a release that was never prepared on the host."""

    kind = "not-ready"
    status = 161


class BadName(DeployError):
    """A repo name, tag or host name that is not legal."""

    kind = "bad-name"
    status = 162


class GitFailed(DeployError):
    """A git command failed; ``status`` is git's own exit code, as Trebuchet reports it."""

    kind = "git-failed"
    status = 128


class BadArguments(DeployError):
    """A function was called with arguments that it does not take."""

    kind = "bad-arguments"
    status = 163

    @property
    def usual(self) -> str:
        """All functions, with their arguments."""
        return "salt-run -d deploy"


class NoSuchDeploy(DeployError):
    """There is no journal of such a deploy."""

    kind = "no-such-deploy"
    status = 164


class CheckFailed(DeployError):
    """A check found that something is not as it must be; the cause has its exit code and last lines."""

    kind = "check-failed"
    status = 165


class CheckInconclusive(DeployError):
    """A check could not tell."""

    kind = "check-inconclusive"
    status = 166
    inconclusive = True


class RestartFailed(DeployError):
    """A process did not take up the release: a service, a signal or the restart command failed."""

    kind = "restart-failed"
    status = 167


class NotListening(DeployError):
    """After the restart a port accepted no connection in time."""

    kind = "not-listening"
    status = 168


class StepFailed(DeployError):
    """A step that runs once failed, or what undoes it."""

    kind = "step-failed"
    status = 198


class StepUnknown(DeployError):
    """A step that runs once has begun, and it is not known how it ended."""

    kind = "step-unknown"
    status = 199
    inconclusive = True


class CannotUndo(DeployError):
    """A step of the release that is live refuses a roll back."""

    kind = "cannot-undo"
    status = 200


class BadConfigFile(DeployError):
    """A configuration file that this host renders does not render, or its check fails."""

    kind = "bad-config-file"
    status = 201


class BadChecks(DeployError):
    """The file with checks in the release is not valid."""

    kind = "bad-checks"
    status = 169


class BadRelease(DeployError):
    """The release was rolled back from."""

    kind = "bad-release"
    status = 180


class Frozen(DeployError):
    """Nothing may be deployed at this time."""

    kind = "frozen"
    status = 181


class PlanMoved(DeployError):
    """What would happen now is not what was planned."""

    kind = "plan-moved"
    status = 182


class TooMuchRemoved(DeployError):
    """More files of the release before are missing in this one than the pillar allows."""

    kind = "too-much-removed"
    status = 183


class Unsigned(DeployError):
    """The tag has no signature that git can verify, or the release none that a target accepts."""

    kind = "unsigned"
    status = 184


class NothingAsked(DeployError):
    """No question of a deploy is open, or the answer is none of its choices."""

    kind = "nothing-asked"
    status = 185


class DependencyFailed(DeployError):
    """A repo that this one needs is not where it should be."""

    kind = "dependency-failed"
    status = 186


class NothingToRestart(DeployError):
    """Nothing is pinned, or the pillar names nothing to restart."""

    kind = "nothing-to-restart"
    status = 187


class NotAsRecorded(DeployError):
    """The tree that was tagged has another commit of a submodule than its own commit records."""

    kind = "not-as-recorded"
    status = 188


class UntrackedFiles(DeployError):
    """What is live has files that are of no release, and the pillar says that no deploy may let them go."""

    kind = "untracked"
    status = 202


class NotAllowed(DeployError):
    """Who asks the runner, by whichever door, has no right to what they ask for."""

    kind = "not-allowed"
    status = 195


class DamagedFile(Corrupt):
    """What the master wrote down for later is not there as it was written; ``path`` is the file, or bank and key."""

    kind = "damaged-file"
    status = 190

    @classmethod
    def of_file(cls, path: object, why: str, *, repo: str = "", after: str = "") -> DamagedFile:
        """The error about a file; its next command moves the file out of the way.

        Args:
            path: the file.
            why: what is wrong with it.
            repo: whose it is.
            after: what to do once the file is out of the way; the same command again where nothing is said.
        """
        aside = f"look at it, move it away (mv -- {path} {path}.bad)"
        return cls(
            f"the file is damaged: {why}",
            repo=repo,
            path=str(path),
            next=f"{aside}, then {after or 'run the same command again'}",
        )
