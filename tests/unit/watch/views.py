"""Results of the runner, as ``master/reports/results.py`` makes them; some with hosts that are not as they should be."""

from __future__ import annotations

from typing import Any

from saltdeploy.lib import errors
from saltdeploy.master.locking.model import Holder, Lock

from tests.unit.watch.stories import BEGIN, COMMIT, DEPLOY, FULL, REPO, TAG

BEFORE = "release/2026-11-20/1"
BEFORE_COMMIT = "9f8e7d6c5b4a39281706f5e4d3c2b1a098765432"
NOW = BEGIN + 60
ROOT = "0123456789abcdef" * 4
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


def rooted(roots: dict[str, str | None]) -> View:
    """A fleet whose pin has a root, and what each host told of its own."""
    hosts = {
        name: {**running("pinned" if root in (ROOT, None) else "drift"), **({"root": root} if root else {})}
        for name, root in roots.items()
    }
    return {**report(hosts), "pinned": {"tag": TAG, "commit": COMMIT, "root": ROOT}}


def away(seen: float | None) -> View:
    known = (
        {"live": BEFORE_COMMIT, "tag": BEFORE, "held": [BEFORE, COMMIT]} if seen else {"live": "", "tag": ""}
    )
    return {"reachable": False, "held": [], **known, "seen": seen, "state": "unreachable"}


def fleet(size: int) -> View:
    return {f"web{number}": running() for number in range(1, size + 1)}


def unsettled() -> View:
    return {**running("unsettled")}


def stale() -> View:
    return {**running("stale"), "stale": "port 80: pid 7 (php) has run since noon, and the switch was at one"}


def lock(scope: str, user: str, reason: str = "", until: float | None = None) -> View:
    return Lock(scope, Holder(user, "deploy1", 4711, reason=reason), BEGIN - 600, until, "token").to_wire()


def deploying(repo: str, user: str, reason: str = "") -> View:
    return Lock(f"repo:{repo}", Holder(user, "deploy1", 4712, DEPLOY, reason), BEGIN, token="token").to_wire()


def wave(name: str, hosts: list[str], window: int, limit: int) -> View:
    return {"name": name, "hosts": hosts, "window": window, "limit": limit}


def change(before: str, added: int, changed: int, removed: int, size: int, unreachable: bool = False) -> View:
    numbers = {"added": added, "changed": changed, "removed": removed, "bytes": size}
    return {"from": before, **numbers, "unreachable": unreachable}


def check(name: str, kind: str, place: str, **more: Any) -> View:
    usual = {"group": "", "where": "target", "source": "pillar", "said": "", "idle": False}
    return {"check": name, "kind": kind, "place": place, **usual, **more}


def plan(hosts: View, waves: list[View], **more: Any) -> View:
    return {
        "view": "plan",
        "repo": REPO,
        "tag": TAG,
        "commit": COMMIT,
        "previous": BEFORE,
        "hash": "5f0c9a7d",
        "waves": waves,
        "hosts": hosts,
        "restarts": [],
        "checks": [],
        "guards": [],
        "left_out": [],
        **more,
    }


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


def preseeded(hosts: View) -> View:
    return {
        "view": "preseed",
        "retcode": 0 if all("error" not in host for host in hosts.values()) else 1,
        "repo": REPO,
        "tag": TAG,
        "commit": COMMIT,
        "payloads": 2,
        "size": 10_002_345,
        "hosts": hosts,
    }


WAYS = [
    {"transport": "bundle", "hosts": ["web1", "web2"], "why": ""},
    {"transport": "tar", "hosts": ["edge1"], "why": "auto: tar, 8.0 MB (bundle 14.3 MB)"},
]


def unfinished(state: str, next_act: str, **more: Any) -> View:
    known = {
        "deploy": DEPLOY,
        "state": state,
        "action": "sync",
        "tag": TAG,
        "commit": COMMIT,
        "user": "alice",
    }
    return {"unfinished": {**known, "next": next_act, **more}}


DIED = unfinished("died", f"salt-run deploy.resume repo={REPO}")
WAITS = unfinished(
    "waiting",
    f"salt-run deploy.answer continue repo={REPO}; or salt-run deploy.answer rollback repo={REPO}",
    action="rollback",
    question="2 hosts failed: web3, web4",
    choices=["continue", "rollback"],
)

VIEWS: dict[str, View] = {
    "report-died": {
        **report({"web1": running("switched", "c" * 40, "v9"), "web2": running()}),
        **DIED,
        "before": BEFORE,
    },
    "report-waits": {**report({"web1": running("switched"), "web2": running()}), **WAITS},
    "versions-died": {
        "view": "versions",
        "repo": REPO,
        "before": BEFORE,
        **DIED,
        "versions": [
            {**version(0, TAG, COMMIT, "", 0), "left_out": 3},
            version(1, TAG, COMMIT, "", 0),
            version(2, BEFORE, BEFORE_COMMIT, "CONVERGED", 10),
        ],
    },
    "watched-died": {"view": "watched", "repo": REPO, "deploy": DEPLOY, "retcode": 1, **DIED},
    "watched-never-begun": {
        "view": "watched",
        "repo": REPO,
        "deploy": DEPLOY,
        "begun": False,
        "log": "/d/deploy.log",
        "retcode": 1,
    },
    "watched-several": {
        "view": "watched",
        "repo": REPO,
        "deploy": DEPLOY,
        "tag": TAG,
        "also": [{"repo": "l10n", "tag": "v7"}],
        "outcome": "CONVERGED",
        "ok": 2,
        "total": 2,
    },
    "detached-stopping": {"view": "detached", "repo": REPO, "deploy": DEPLOY, "stopping": True, "retcode": 1},
    "gc": {
        "view": "gc",
        "retcode": 1,
        "repo": "",
        "test": False,
        "master": {"payloads": 120_400_000, "mirrors": 3_000_000},
        "hosts": {
            "web1": {"state": "collected", "freed": 2_345_678, "trees": 2_000_000, "objects": 345_678},
            "web2": {"state": "collected", "freed": 0, "skipped": "mediawiki: a stage of it runs here"},
            "web10": {"state": "unreachable"},
        },
    },
    "forgotten": {"view": "forgotten", "host": "web7", "redis": "redis localhost:6379/0"},
    "forgotten-no-redis": {"view": "forgotten", "host": "web7", "redis": ""},
    "doctor": {
        "view": "doctor",
        "retcode": 1,
        "repo": REPO,
        "repos": [REPO],
        "hosts": ["web1", "web2", "web10"],
        "checks": [
            {"name": "the master runs", "state": "ok", "reason": ""},
            {"name": "repo: its source has tags", "state": "wrong", "reason": ""},
            {"name": "target: modules", "state": "wrong", "reason": ""},
            {"name": "target: version", "state": "cannot say", "reason": "no target has answered"},
        ],
        "findings": [
            {
                "check": "repo: its source has tags",
                "host": "vm_master",
                "on_master": True,
                "repo": REPO,
                "cause": "its repository /srv/wiki has no tag yet, and tags are what is deployed",
                "by_hand": "",
                "next": "git --git-dir=/srv/wiki/.git tag v1",
            },
            *(
                {
                    "check": "target: modules",
                    "host": host,
                    "on_master": False,
                    "repo": "",
                    "cause": "this project is not there, or an older one than the master's",
                    "by_hand": "put it there",
                    "next": f"salt '{host}' saltutil.sync_all",
                }
                for host in ("web10", "web2")
            ),
        ],
    },
    "doctor-well": {
        "view": "doctor",
        "retcode": 0,
        "repo": "",
        "repos": [REPO],
        "hosts": ["web1"],
        "checks": [{"name": "the master runs", "state": "ok", "reason": ""}],
        "findings": [],
    },
    "init": {
        "view": "init",
        "retcode": 1,
        "repo": REPO,
        "location": "/srv/www/mediawiki",
        "pieces": [
            {"what": "master configuration", "path": "", "text": "", "state": "present"},
            {
                "what": "pillar",
                "path": "/srv/pillar/deploy.sls",
                "text": "repo_config:\n  mediawiki:\n    source: /srv/wiki\n",
                "state": "exists",
            },
            {
                "what": "top file of the pillar",
                "path": "/srv/pillar/top.sls",
                "text": "base:\n  '*':\n  - deploy\n",
                "state": "written",
            },
        ],
        "next": ["salt '*' saltutil.sync_all", "salt-run deploy.doctor repo=mediawiki"],
    },
    "imported-of-scap": {
        "view": "scap",
        "retcode": 0,
        "repo": "mathoid/deploy",
        "environment": "production",
        "read": ["/srv/mathoid/scap/scap.cfg"],
        "pieces": [
            {
                "what": "pillar",
                "path": "/srv/pillar/deploy-mathoid-deploy.sls",
                "text": "repo_config:\n  mathoid/deploy:\n    tag_scheme: scap\n",
                "state": "printed",
            },
        ],
        "left": [
            {"key": "ssh_user", "value": "deploy-service", "why": "there is no ssh", "next": ""},
            {
                "key": "checks.yaml: port",
                "value": "",
                "why": "no shell is used",
                "next": "command: [/bin/sh, -c, x]",
            },
        ],
        "next": ["salt '*' saltutil.refresh_pillar"],
    },
    "sources": {
        "view": "sources",
        "repo": "wiki",
        "tag": "release/2026-11-23/2",
        "commit": "a1b2c3d4e5f60718293a4b5c6d7e8f9012345678",
        "parts": [
            {"path": "", "source": "https://git.example.org/core", "ref": "wmf/1.27", "commit": "c" * 40},
            {"path": "extensions/Foo", "source": "/srv/Foo", "ref": "main", "commit": "f" * 40},
        ],
        "patches": [
            {
                "file": "/srv/patches/01.patch",
                "path": "extensions/Foo",
                "sha256": "0" * 64,
                "files": ["extensions/Foo/Foo.php"],
            },
        ],
    },
    "sources-of-a-file": {
        "view": "sources",
        "repo": "wiki",
        "tag": "release/2026-11-23/2",
        "commit": "a1b2c3d4e5f60718293a4b5c6d7e8f9012345678",
        "parts": [],
        "patches": [],
        "file": {
            "path": "extensions/Foo/Foo.php",
            "within": "Foo.php",
            "source": "/srv/Foo",
            "ref": "main",
            "commit": "f" * 40,
            "patches": ["/srv/patches/01.patch"],
        },
    },
    "staged": {
        "view": "stage",
        "repo": "wiki",
        "new": True,
        "tag": "release/2026-11-23/2",
        "commit": "a1b2c3d4e5f60718293a4b5c6d7e8f9012345678",
        "origin": "directory /srv/staging/wiki",
        "added": 3,
        "changed": 1,
        "removed": 0,
    },
    "staged-nothing": {
        "view": "stage",
        "repo": "wiki",
        "new": False,
        "tag": "release/2026-11-23/2",
        "commit": "a1b2c3d4e5f60718293a4b5c6d7e8f9012345678",
    },
    "nothing-staged": {
        "view": "nothing",
        "repo": "wiki",
        "tag": "release/2026-11-23/2",
        "commit": "a1b2c3d4e5f60718293a4b5c6d7e8f9012345678",
    },
    "next-tag": {"view": "next_tag", "repo": "wiki", "tag": "release/2026-11-23/2"},
    "gc-unreadable": {
        "view": "gc",
        "retcode": 1,
        "repo": "",
        "test": False,
        "master": {},
        "skipped": "wiki: 'slotz' is not a key that we know",
        "hosts": {
            f"web{number}": {
                "state": "collected",
                "freed": 1000,
                "trees": 1000,
                "skipped": "wiki: 'slotz' is not a key that we know",
            }
            for number in (1, 2)
        },
    },
    "gc-test-of-one": {
        "view": "gc",
        "retcode": 0,
        "repo": REPO,
        "test": True,
        "master": {},
        "hosts": {"web1": {"state": "collected", "freed": 2_000_000, "trees": 2_000_000}},
    },
    "preseed": preseeded(
        {
            "fan1": {
                "state": "fetched",
                "bytes": 10_002_345,
                "source": "master",
                "why": "no fanout is named",
            },
            "fan2": {"state": "held", "bytes": 0},
        }
    ),
    "preseed-partly": preseeded(
        {
            "fan1": {"state": "unreachable", "error": silent("fan1").to_wire()},
            "web1": {
                "state": "fetched",
                "bytes": 2_345,
                "source": "http://fan2:8010",
                "why": "same site, 0.4 ms",
                "left": "http://fan1:8010: took no connection",
            },
        }
    ),
    "preseed-nothing": preseeded({}),
    "report-one-root": rooted({"web1": ROOT, "web2": ROOT, "web3": ROOT}),
    "report-two-roots": rooted({"web1": ROOT, "web2": "f" * 64, "web3": None, "web4": "no root"}),
    "outcome-root": {**outcome({"web1": switched()}, "CONVERGED", 1), "root": ROOT},
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
            "web100": {
                **switched(),
                "moved_aside": "/srv/mediawiki.20261123T101112Z",
                "taken_over": "images",
            },
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
    "outcome-limited": {
        **outcome({f"web{n}": switched() for n in (1, 2)}, "CONVERGED", 2),
        "left_out": [f"web{n}" for n in range(3, 31)],
    },
    "outcome-ways": {
        **outcome({f"web{n}": switched() for n in (1, 2)} | {"edge1": switched()}, "CONVERGED", 3),
        "ways": WAYS,
    },
    "plan-ways": {
        **plan({f"web{n}": change(BEFORE, 3, 20, 1, 2_345) for n in (1, 2)}, []),
        "ways": WAYS,
        "once": "auto",
    },
    "outcome-astray": {
        **outcome(
            {"web1": switched(), "web2": stayed("unreachable", silent("web2"))}, "MIXED", 1, "web2 is silent"
        ),
        "astray": ["web2"],
    },
    "report-partly": {
        **report({"web1": running(), "web2": running("drift", COMMIT, TAG), "web3": running()}),
        "partly_pinned": [{"tag": BEFORE, "commit": BEFORE_COMMIT, "hosts": ["web2", "web4"]}],
    },
    "report-only-partly": {
        **report({"web1": running(), "web2": running("nothing", "", "", ())}, pinned=False),
        "partly_pinned": [{"tag": TAG, "commit": COMMIT, "hosts": ["web1"]}],
    },
    "report-unsettled": report({"web1": running(), "web2": unsettled(), "web3": unsettled()}),
    "report-stale": report({"web1": running(), "web2": stale()}),
    "versions-bad": {
        "view": "versions",
        "repo": REPO,
        "versions": [
            {
                **version(0, BEFORE, BEFORE_COMMIT, "CONVERGED", 10, "rollback"),
                "reason": "back to what worked",
            },
            {
                **version(1, TAG, COMMIT, "ROLLED BACK", 10),
                "bad": "it was rolled back: 1 hosts failed, the limit is 0: web3 (the switch failed)",
                "reason": "the new login page, with the banner that everybody has been waiting for",
                "cause": "1 hosts failed, the limit is 0: web3 (the switch failed)",
            },
            {**version(2, BEFORE, BEFORE_COMMIT, "CONVERGED", 10), "bad": "", "reason": "", "cause": ""},
        ],
    },
    "told-abort": {"view": "told", "repo": REPO, "deploy": DEPLOY, "what": "abort", "counted": True},
    "told-abort-again": {"view": "told", "repo": REPO, "deploy": DEPLOY, "what": "abort", "counted": False},
    "told-answer": {"view": "told", "repo": REPO, "deploy": DEPLOY, "what": "yes", "counted": True},
    "told-answer-too-late": {"view": "told", "repo": REPO, "deploy": DEPLOY, "what": "yes", "counted": False},
    "detached": {"view": "detached", "repo": REPO, "deploy": DEPLOY, "retcode": 0},
    "detached-unheard": {"view": "detached", "deploy": DEPLOY, "retcode": 1},
    "locks": {
        "view": "locks",
        "locks": [
            lock("global", "alice", "the network is being moved", BEGIN + 3600),
            lock("repo:mediawiki", "bob"),
            lock("group:vendor/libs/canary", "bob", "under test"),
            deploying("mediawiki/slot0", "carol", "hotfix"),
        ],
        "running": [deploying("mediawiki/slot0", "carol", "hotfix")],
    },
    "locks-taken": {
        "view": "locks",
        "locks": [lock("repo:mediawiki", "bob", "database migration")],
        "running": [],
    },
    "locks-removed": {
        "view": "locks",
        "locks": [],
        "removed": lock("repo:mediawiki", "bob", "database migration"),
    },
    "locks-none": {"view": "locks", "locks": [], "running": []},
    "plan": plan(
        {
            **{f"web{n}": change(BEFORE, 3, 20, 1, 2_345) for n in range(1, 98)},
            "web98": change(TAG, 0, 0, 0, 0),
            "web99": change("", 304_542, 0, 0, 85_000_000),
            "web100": change(BEFORE_COMMIT, 4, 21, 1, 2_999),
            "web101": change("", 0, 0, 0, 0, unreachable=True),
        },
        [wave("canary", ["web1", "web2"], 1, 0), wave("rest", [f"web{n}" for n in range(3, 102)], 25, 3)],
        restarts=["service php-fpm (reload)", "signal HUP to nginx"],
        checks=["error-rate", "homepage"],
        left_out=["web102"],
    ),
    "plan-checks": plan(
        {"web1": change(BEFORE, 3, 20, 1, 2_345)},
        [wave("", ["web1"], 1, 0)],
        restarts=["service php-fpm (restart)"],
        checks=["syntax", "venv", "spark", "endpoints", "error-rate"],
        places=[
            check("syntax", "command", "after fetch", group="canary"),
            check("venv", "command", "after checkout", source="scap/checks.yaml"),
            check(
                "spark", "script", "after checkout", source="scap/checks.yaml", group="analytics", idle=True
            ),
            check("endpoints", "nrpe", "after restart", source="scap/checks.yaml", said="after promote"),
            check("error-rate", "metric", "after final", where="master"),
        ],
    ),
    "plan-guarded": plan(
        {"web1": change(BEFORE, 0, 0, 200_000, 300)},
        [wave("", ["web1"], 1, 0)],
        guards=["the release removes 66 % of the files; max_removed is 30 %"],
        forced_by="max_removed",
        limit="web1 or web2",
    ),
    "plan-first": plan({"web1": change("", 3, 0, 0, 4_000)}, [wave("", ["web1"], 1, 0)], previous=""),
}
