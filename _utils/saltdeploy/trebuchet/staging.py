"""A deployment in the staging repository: its lock, its tags, its deploy file. No host and no master is asked here."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from datetime import datetime

from saltdeploy.git.staging_tree import StagingTree, TagLine
from saltdeploy.lib.errors import DeployError
from saltdeploy.lib.os_errors import from_os
from saltdeploy.staging import schemes
from saltdeploy.staging.deploy_files import DeployDirectory, DeployFile, StagingLock
from saltdeploy.staging.next_tag import next_tag
from saltdeploy.trebuchet import refusal
from saltdeploy.trebuchet.refusal import Refusal, because
from saltdeploy.trebuchet.settings import Settings

_NO_COMMIT = (
    "There is no initial commit, so no start tag can be written. Please add at least one commit before attempting "
    "to start a deployment."
)


class Staging:
    """The staging repository of one repo.

    Args:
        tree: its work tree.
        settings: as configured there.
        now: the moment of the command, with a time zone.
    """

    def __init__(self, tree: StagingTree, settings: Settings, now: datetime) -> None:
        self.tree = tree
        self.settings = settings
        self.now = now
        self.files = DeployDirectory(tree.git_dir)

    @contextlib.contextmanager
    def _or_refused(self, message: str, code: int) -> Iterator[None]:
        """What the system refuses is said as Trigger said it, and why."""
        try:
            yield
        except OSError as error:
            raise because(message, code, from_os(error), self.repo) from None

    # -- the lock ---------------------------------------------------------------------------------------

    def lock(self) -> StagingLock | None:
        """Who has started a deployment.

        Raises:
            Refusal: the file may not be read.
        """
        with self._or_refused("Failed to read lock file", refusal.NOT_STARTED_OR_LOCKED):
            return self.files.lock()

    def start(self) -> str:
        """Take the lock and write the start tag.

        Returns:
            The tag.

        Raises:
            Refusal: somebody has started one, or the lock or the tag could not be written; then nothing is held.
        """
        with self._or_refused("Failed to start deployment", refusal.LOCK_NOT_WRITTEN):
            try:
                self.files.take_lock(self.settings.user, self.now)
            except FileExistsError:
                raise self._already_started() from None
        try:
            return self._write_start_tag()
        except BaseException as error:
            self.files.free_lock()
            if isinstance(error, Refusal):
                raise Refusal(
                    f"{error.message}\nDeployment failed to start", refusal.NOT_STARTED_OR_LOCKED, error.cause,
                    repo=self.repo, path=error.path, next=error.next,
                ) from None  # fmt: skip
            raise

    def own_lock(self, *, take_over: bool = False) -> None:
        """See to it that the deployment that was started is this user's.

        Args:
            take_over: make it theirs, if it is somebody else's.

        Raises:
            Refusal: none was started, or by somebody else.
        """
        lock = self.lock()
        if lock is None:
            raise Refusal(
                "A deployment has not been started.", refusal.NOT_STARTED,
                f"{self.files.lock_path} is not there", repo=self.repo, next="git deploy start",
            )  # fmt: skip
        if lock.user == self.settings.user:
            return
        whose = lock.user or "somebody"
        if not take_over:
            raise Refusal(
                f"{whose} started this deployment, use --take-over to go on with it.",
                refusal.OF_SOMEBODY_ELSE,
                f"it was started {_since(lock)}, and you are {self.settings.user}",
                repo=self.repo,
                next=f"ask {whose}; then the same command with --take-over, or git deploy abort --force",
            )
        with self._or_refused("Failed to write lock file", refusal.LOCK_NOT_WRITTEN):
            self.files.give_lock_to(self.settings.user, self.now)

    def finish(self) -> None:
        """Free the lock.

        Raises:
            Refusal: it cannot be removed.
        """
        with self._or_refused("Failed to remove lock file", refusal.NOT_STARTED_OR_LOCKED):
            self.files.free_lock()

    def abort(self, *, reset: bool, force: bool) -> list[str]:
        """Free the lock, and bring the work tree back to where the deployment began.

        Args:
            reset: False: leave the work tree as it is.
            force: also if somebody else has started it.

        Returns:
            Warnings.

        Raises:
            Refusal: there is none, or it is somebody else's.
        """
        lock = self.lock()
        if lock is None:
            raise Refusal("There is no deployment to abort.", refusal.NOTHING_TO_ABORT)
        if lock.user != self.settings.user and not force:
            raise Refusal(
                f"{lock.user or 'somebody'} started this deployment, use --force to abort that deployment.",
                refusal.OF_SOMEBODY_ELSE,
                f"it was started {_since(lock)}, and you are {self.settings.user}",
                repo=self.repo,
                next=f"ask {lock.user or 'who did'}; then git deploy abort --force",
            )
        warnings = self._reset_to_start() if reset else []
        self.finish()
        return warnings

    # -- tags -------------------------------------------------------------------------------------------

    def refuse_dirty(self) -> None:
        """Refuse what was changed and not committed: the tag would not hold it.

        Raises:
            Refusal: there is something.
        """
        if self.tree.is_dirty():
            raise Refusal(
                "The repository is dirty. Please commit or revert any uncommitted changes.",
                refusal.DIRTY,
                "what is not committed would not be in the tag",
                repo=self.repo,
                path=str(self.tree.top),
                next=f"git -C {self.tree.top} status --untracked-files=no",
            )

    def write_sync_tag(self, reason: str) -> str:
        """Tag what is checked out as the next release, in submodules as well where that is configured.

        Args:
            reason: what this is about.

        Raises:
            Refusal: git cannot write it.
        """
        known = [tag.name for tag in self.tree.tags()]
        try:
            tag = next_tag(self.repo, known, "sync", "", self.now)
            text = self._message(reason or f"{self.settings.user} syncs {self.repo}")
            self.tree.make_tag(tag, text, self.settings.identity)
            self.tree.update_server_info()
            for submodule in self.tree.submodules() if self.settings.checkout_submodules else ():
                submodule.make_tag(tag, text, self.settings.identity)
                submodule.update_server_info()
        except DeployError as error:
            raise self._no_tag("sync", error) from None
        return tag

    def keep_head(self) -> str:
        """See to it that a tag leads to what is checked out, so that it can be found again.

        Returns:
            The tag: one that is there, or a new start tag.

        Raises:
            Refusal: it cannot be written.
        """
        head = self.tree.head()
        return (
            next((tag.name for tag in self.tree.tags() if tag.commit == head), "") or self._write_start_tag()
        )

    def start_tags(self) -> list[TagLine]:
        """The start tags of the repo, the newest first: Trigger's bear the time of their commit, so their names count."""
        return sorted(self.tree.tags(f"{self.repo}-start-*"), key=lambda tag: tag.name, reverse=True)

    def releases(self) -> list[TagLine]:
        """All tags but those of starts, made last first."""
        starts = f"{self.repo}-start-"
        return [tag for tag in self.tree.tags() if not tag.name.startswith(starts)]

    # -- the deploy file --------------------------------------------------------------------------------

    def deployed(self) -> DeployFile:
        """What was synced last.

        Raises:
            Refusal: nothing was, or the file cannot be read.
        """
        cause, code = "", refusal.NO_DEPLOY_FILE
        message = "Failed to read deployment file. Has an initial deploment occurred?."
        try:
            found = self.files.deployed()
        except KeyError:
            found, cause, code = None, "it names no tag", refusal.NO_TAG_IN_DEPLOY_FILE
            message = "Tag not in deployment file. Has an initial deploment occurred?."
        except (OSError, ValueError) as error:
            found, cause = None, str(error)
        if found is None:
            raise Refusal(message, code, cause or "there is no such file", repo=self.repo,
                          path=str(self.files.deploy_path), next="git deploy start, then git deploy sync")  # fmt: skip
        return found

    def write_deployed(self, tag: str) -> None:
        """Say that a tag is what hosts are to run.

        Raises:
            Refusal: it cannot be written.
        """
        with self._or_refused("Failed to write deploy file", refusal.NOT_SYNCED):
            self.files.write_deployed(tag, self.tree.commit_of(tag), self.settings.user, self.now)

    @property
    def repo(self) -> str:
        """The repo's name."""
        return self.settings.repo

    # -- inside -----------------------------------------------------------------------------------------

    def _already_started(self) -> Refusal:
        lock = self.lock() or StagingLock()
        by = f" by {lock.user}" if lock.user else ""
        return Refusal(
            f"A deployment has already been started for this repo{by}.",
            refusal.ALREADY_STARTED,
            f"it was started {_since(lock)}",
            repo=self.repo,
            path=str(self.files.lock_path),
            next="git deploy sync or git deploy finish, if it is yours"
            + (f"; else ask {lock.user}" if lock.user and lock.user != self.settings.user else ""),
        )

    def _write_start_tag(self) -> str:
        if not self.tree.head():
            raise Refusal(_NO_COMMIT, refusal.NO_COMMIT, "the repository has no commit", repo=self.repo,
                          path=str(self.tree.top), next="git commit")  # fmt: skip
        try:
            tag = schemes.start([tag.name for tag in self.start_tags()], self.repo, self.now)
            self.tree.make_tag(tag, self._message(f"{self.settings.user} starts a deployment of {self.repo}"),
                               self.settings.identity)  # fmt: skip
        except DeployError as error:
            raise self._no_tag("start", error) from None
        return tag

    def _no_tag(self, kind: str, error: DeployError) -> Refusal:
        return because(f"Failed to write the {kind} tag.", refusal.NO_TAG, error, self.repo)

    def _message(self, first: str) -> str:
        """Who, why, from where, and what was synced before."""
        try:
            before = self.files.deployed()
        except (OSError, ValueError, KeyError):
            before = None
        facts = {
            "repo": self.repo,
            "user": f"{self.settings.user} <{self.settings.identity['user.email']}>",
            "from": f"{socket.gethostname()}:{self.tree.top}",
            "previous": before.tag if before else "",
        }
        return "\n".join([first, "", *(f"{key}: {value}" for key, value in facts.items() if value), ""])

    def _reset_to_start(self) -> list[str]:
        tags = self.start_tags()
        if not tags:
            return ["Could not find a start tag to reset to."]
        try:
            self.tree.reset(tags[0].commit)
        except DeployError as error:
            return ["Failed to reset to the start tag.", str(error.at(repo=self.repo))]
        return []


def _since(lock: StagingLock) -> str:
    return f"at {lock.time} (local time)" if lock.time else "at a time that its file does not tell"
