"""A repository in which tags are made: of a commit that another one has, each name once whoever else makes one."""

from __future__ import annotations

from dataclasses import dataclass

from saltdeploy.git.command import no_progress
from saltdeploy.git.repository import Repository, Tag
from saltdeploy.lib.errors import GitFailed, Unavailable, Unsigned
from saltdeploy.lib.text import public
from saltdeploy.protocol.release import check_commit, check_tag

_OWN_FIELDS = (
    "refname:strip=2",
    "objectname",
    "objecttype",
    "taggerdate:unix",
    "contents:subject",
    "contents:body",
)
_ASKED = "refs/deploy-asked/release"
_SIGNATURE = b"\n-----BEGIN "


@dataclass(frozen=True)
class OwnTag:
    """A tag that was made here.

    Attributes:
        oid: of the tag object.
        made: seconds since the epoch.
    """

    name: str
    oid: str
    made: int


class NamingRepository(Repository):
    """The master's mirror of a source."""

    def bring_commit(self, url: str, commit: str, ref: str) -> None:
        """Fetch one commit with its tree, without what is behind it.

        Args:
            url: of the repository that has it.
            ref: one that reaches it, for servers that give no commit by its id; with it the whole history comes.

        Raises:
            Unavailable: it cannot be had.
        """
        self.ensure()
        self._suit(check_commit(commit))
        if self.commit_of(f"refs/deploy/{commit}") and self.has(commit):
            return
        error: GitFailed | None = None
        try:
            for *depth, wanted in (["--depth=1", commit], [ref]):
                try:
                    options = ["--no-tags", "--progress", *depth, "--", url, f"+{wanted}:{_ASKED}"]
                    self._remote("fetch", url, options, progress=no_progress)
                except GitFailed as failed:
                    error = error or failed
                    continue
                if self.has(commit):
                    self.keep(commit)
                    return
        finally:
            self._run(["update-ref", "-d", _ASKED], check=False)
        raise Unavailable(
            f"cannot fetch commit {commit} from {public(url)}: {error.cause if error else f'{ref} has moved'}",
            next=f"git ls-remote {public(url)} {ref}",
        )

    def own_tags(self, repo: str) -> list[OwnTag]:
        """The tags that were made here for a repo, by their own text; tags that came from elsewhere are not among them."""
        form = "".join(f"%({field})%00" for field in _OWN_FIELDS)
        listed = self._run(["for-each-ref", f"--format={form}", "refs/tags/"]).stdout
        texts = [text.removeprefix("\n") for text in listed.decode("utf-8", "replace").split("\0")]
        records = [texts[at : at + len(_OWN_FIELDS)] for at in range(0, len(texts) - 1, len(_OWN_FIELDS))]
        return [
            OwnTag(name, oid, int(made))
            for name, oid, kind, made, subject, body in records
            if kind == "tag" and subject == name and body.partition("\n")[0] == f"repo: {repo}"
        ]

    def delete_tag(self, tag: OwnTag) -> None:
        """Delete a tag, unless it is another one meanwhile.

        Raises:
            GitFailed: it is.
        """
        self._run(["update-ref", "-d", f"refs/tags/{check_tag(tag.name)}", tag.oid])

    def create_tag(self, name: str, commit: str, tagger: str, message: str) -> Tag:
        """Make an annotated tag. Git itself sees to it that the name was free: of several callers one gets it.

        It is signed where git's configuration of this user or host asks for that (``tag.gpgSign``), with the key that it
        names (``user.signingKey``, ``gpg.format``).

        Args:
            tagger: name, e-mail, seconds and zone, as git writes them.

        Raises:
            GitFailed: there is one of the name, or somebody else makes one just now.
            Unsigned: it cannot be signed; then there is none.
        """
        if self._ask(["config", "--type=bool", "--get", "tag.gpgSign"]).strip() == "true":
            return self._create_signed(name, commit, tagger, message)
        head = f"object {check_commit(commit)}\ntype commit\ntag {check_tag(name)}\ntagger {tagger}\n\n"
        written = self._run(["mktag"], input=f"{head}{message.rstrip()}\n".encode()).stdout
        oid = check_commit(written.decode().strip())
        self._run(["update-ref", f"refs/tags/{name}", oid, "0" * len(oid)])
        return Tag(name, oid, commit)

    def _create_signed(self, name: str, commit: str, tagger: str, message: str) -> Tag:
        """Let git sign it. A tag that it has made without a signature (git 2.39 ends with 0 then) is deleted again."""
        who, _, rest = tagger.partition(" <")
        email, _, when = rest.partition("> ")
        named = {
            f"GIT_COMMITTER_{key}": text for key, text in (("NAME", who), ("EMAIL", email), ("DATE", when))
        }
        words = ["tag", "--sign", "--cleanup=verbatim", "--file=-", check_tag(name), check_commit(commit)]
        ref, text = f"refs/tags/{name}", f"{message.rstrip()}\n".encode()
        try:
            self._run(words, input=text, environment=named)
        except GitFailed as error:
            if self.commit_of(ref):  # somebody else was first
                raise
            raise _not_signed(name, error.cause) from error
        oid = check_commit(self._ask(["rev-parse", "--verify", ref]).strip())
        if _SIGNATURE not in self._run(["cat-file", "tag", oid]).stdout:
            self._run(["update-ref", "-d", ref, oid])
            raise _not_signed(name, "git has made it without a signature")
        return Tag(name, oid, commit)


def _not_signed(name: str, cause: str) -> Unsigned:
    return Unsigned(
        f"the tag {name} cannot be signed, and tag.gpgSign asks for that: {cause}",
        next="as the user that Salt's master runs as: git config --show-origin --get-regexp 'sign|gpg'",
    )
