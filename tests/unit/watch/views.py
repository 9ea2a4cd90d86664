"""Results of the runner, as ``master/report.py`` makes them; some with hosts that are not as they should be."""

from __future__ import annotations

from typing import Any

from saltdeploy import errors

from tests.unit.watch.stories import BEGIN, COMMIT, DEPLOY, FULL, REPO, TAG

BEFORE = "release/2026-11-20/1"
BEFORE_COMMIT = "9f8e7d6c5b4a39281706f5e4d3c2b1a098765432"
NOW = BEGIN + 60
DAY = 86_400.0
View = dict[str, Any]


def outcome(hosts: View, word: str, ok: int, reason: str = "", next_act: str = "") -> View:
    return {
        "retcode": 0 if word == "CONVERGED" else 1,
        "view": "outcome",
        "deploy": DEPLOY,
        "repo": REPO,
        "tag": TAG,
        "commit": COMMIT,
        "previous": BEFORE,
        "outcome": word,
        "ok": ok,
        "total": len(hosts),
        "reason": reason,
        "next": next_act,
        "seconds": 12.345,
        "hosts": hosts,
        "outputter": "deploy",
    }


def switched(state: str = "ok", received: int = 2_345, files: int = 20) -> View:
    return {"state": state, "live": COMMIT, "tag": TAG, "bytes": received, "files": files}


def stayed(state: str, error: errors.DeployError | None = None) -> View:
    host = {"state": state, "live": BEFORE_COMMIT, "tag": BEFORE, "bytes": 0, "files": 0}
    return {**host, "error": error.to_wire()} if error else host


def silent(host: str) -> errors.DeployError:
    return errors.Unreachable(
        "no answer, and none when asked again", repo=REPO, host=host, next=f"salt '{host}' test.ping"
    )


def report(hosts: View, pinned: bool = True) -> View:
    return {
        "retcode": 1,
        "view": "report",
        "repo": REPO,
        "pinned": {"tag": TAG, "commit": COMMIT} if pinned else None,
        "hosts": hosts,
        "outputter": "deploy",
    }


def running(
    state: str = "pinned", commit: str = COMMIT, tag: str = TAG, held: tuple[str, ...] = (BEFORE,)
) -> View:
    return {"reachable": True, "live": commit, "tag": tag, "held": [tag, *held], "seen": NOW, "state": state}


def away(seen: float | None) -> View:
    known = (
        {"live": BEFORE_COMMIT, "tag": BEFORE, "held": [BEFORE, COMMIT]} if seen else {"live": "", "tag": ""}
    )
    return {"reachable": False, "held": [], **known, "seen": seen, "state": "unreachable"}


def fleet(size: int) -> View:
    return {f"web{number}": running() for number in range(1, size + 1)}


def version(
    days: int, tag: str, commit: str, outcome_word: str, ok: int, action: str = "sync", user: str = "alice"
) -> View:
    return {
        "deploy": str(int(DEPLOY) - days * 10**12),
        "tag": tag,
        "commit": commit,
        "user": user,
        "time": BEGIN - days * DAY,
        "action": action,
        "outcome": outcome_word,
        "ok": ok,
        "total": 10,
    }


VIEWS: dict[str, View] = {
    "outcome-converged": outcome({f"web{n}": switched() for n in range(1, 4)}, "CONVERGED", 3),
    "outcome-nothing-to-do": outcome(
        {f"web{n}": switched("unchanged", 0, 0) for n in range(1, 4)},
        "CONVERGED",
        3,
        "every host runs it already: nothing to do",
    ),
    "outcome-held": outcome(
        {
            "web1": stayed("ok"),
            "web2": stayed("ok"),
            "web3": stayed("failed", FULL),
            "web10": stayed("unreachable", silent("web10")),
        },
        "HELD",
        2,
        "2 hosts failed: web3 (no space left: 2345678 bytes are missing); web10 (no answer, and none when asked again); "
        "nothing has changed anywhere",
        FULL.next,
    ),
    "outcome-rolled-back": outcome(
        {"web1": stayed("rolled back"), "web2": stayed("rolled back")},
        "ROLLED BACK",
        2,
        "1 hosts failed, the limit is 0: web2 (the switch failed)",
    ),
    "outcome-mixed-large": outcome(
        {
            **{f"web{n}": switched(received=2_345 if n % 2 else 85_000_000) for n in range(1, 98)},
            **{f"web{n}": stayed("unreachable", silent(f"web{n}")) for n in (98, 99)},
            "web100": {**switched(), "moved_aside": "/srv/mediawiki.20261123T101112Z"},
        },
        "MIXED",
        98,
        "2 hosts failed: web98 (no answer); web99 (no answer); within the limit of 3",
        "salt-run deploy.report repo=mediawiki",
    ),
    "report-pinned": report({f"web{n}": running() for n in (1, 2, 10)}),
    "report-odd": report(
        {
            "web1": running(),
            "web2": running("drift", BEFORE_COMMIT, BEFORE, (TAG, "a" * 40, "v1", "v0")),
            "web3": running("nothing", "", "", ()),
            "web4": away(NOW - 3 * DAY),
            "web5": away(None),
        }
    ),
    "report-large": report({**fleet(99), "web7": away(NOW - 7_200), "web50": running(held=())}),
    "report-most-away": report({**fleet(5), **{f"db{n}": away(NOW - DAY) for n in range(1, 501)}}),
    "report-nothing-pinned": report({"web1": running("nothing", "", "", ())}, pinned=False),
    "report-no-hosts": report({}),
    "versions": {
        "retcode": 0,
        "view": "versions",
        "repo": REPO,
        "versions": [
            version(0, TAG, COMMIT, "", 0),
            version(1, BEFORE, BEFORE_COMMIT, "CONVERGED", 10, "rollback", "bob"),
            version(2, TAG, COMMIT, "MIXED", 9),
            version(3, BEFORE, BEFORE_COMMIT, "HELD", 9, user=""),
        ],
    },
    "versions-none": {"retcode": 0, "view": "versions", "repo": REPO, "versions": []},
    "targets": {
        "view": "targets",
        "repo": REPO,
        "hosts": ["web1", "web10", "web2"],
        "expression": "deployment_target:mediawiki",
        "type": "grain",
        "retcode": 0,
    },
    "targets-none": {"view": "targets", "repo": REPO, "hosts": [], "expression": "web*", "type": "glob"},
    "watched": {
        "view": "watched",
        "repo": REPO,
        "deploy": DEPLOY,
        "tag": TAG,
        "outcome": "ROLLED BACK",
        "ok": 2,
        "total": 2,
        "reason": "stopped by SIGINT",
        "next": "",
    },
    "watched-not-ended": {"view": "watched", "repo": REPO, "deploy": DEPLOY, "retcode": 1},
    "error": {
        "view": "error",
        "retcode": 1,
        "error": errors.NoSuchTag(
            "there is no tag nope", repo=REPO, path="/srv/git/mediawiki", next="git -C /srv/git/mediawiki tag"
        ).to_wire(),
    },
}
