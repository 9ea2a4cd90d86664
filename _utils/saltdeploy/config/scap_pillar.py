"""scap's keys in the words of our pillar; and for each that has none there, why, and what does the same.

Two tables hold what is known: :data:`_AS_IT_IS` of keys that are carried over one by one, :data:`_LEFT` of keys that are not.
Keys of groups and of stages have their names in front (``canary_dsh_targets``, ``fetch_batch_size``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from saltdeploy.config.scap_settings import ScapSettings, flag

_MOST_AT_ONCE = 80  # hosts: scap's own limit
_LEAST_SLOTS, _MOST_SLOTS = 3, 16
_DEFAULT = "default"
_OF_GROUPS = ("dsh_targets", "group_size", "failure_limit")
_OF_STAGES = {"fetch": "fetch_batch", "promote": "batch", "rollback": "rollback_batch"}
_BATCH = "_batch_size"
#: scap's key, our kind of signal, scap's port, and what else is said.
_ANNOUNCERS: tuple[tuple[str, str, str, dict[str, str]], ...] = (
    ("tcpircbot", "irc", "9200", {"wording": "scap"}),
    ("statsd", "statsd", "2003", {}),
)
_MANAGERS = {"git-lfs": "lfs", "git-fat": "fat"}

HostsIn = Callable[[str], "tuple[str, ...] | None"]
"""The hosts in a file of targets; None where there is no such file."""


@dataclass(frozen=True)
class NotCarried:
    """Something of scap's that is not in our pillar.

    Attributes:
        key: as scap has it; with the file's name in front, if it does not stand in ``scap.cfg``.
        value: as it is written.
        why: the reason.
        next: what does the same; "" for nothing.
    """

    key: str
    value: str
    why: str
    next: str = ""


@dataclass
class ScapTranslation:
    """What became of a configuration.

    Attributes:
        repo: the repo's section.
        signals: what else is told of deploys: ``deployment_config:signals``.
        left: what was not carried over.
    """

    repo: dict[str, Any] = field(default_factory=dict)
    signals: dict[str, Any] = field(default_factory=dict)
    left: list[NotCarried] = field(default_factory=list)


def carried(settings: ScapSettings, name: str, source: str, hosts_in: HostsIn) -> ScapTranslation:
    """Translate what ``scap.cfg`` says.

    Args:
        name: the repo's.
        source: where the master reads its tags.
        hosts_in: reads files of targets.
    """
    said = dict(settings.said)
    made = ScapTranslation()
    above = said.pop("git_deploy_dir", "/srv/deployment").rstrip("/")
    said.pop("git_repo", "")
    made.repo |= {"source": source, "location": f"{above}/{name}", "tag_scheme": "scap", "on_failure": "ask"}
    _groups(said, hosts_in, made)
    _batches(said, made)
    _announcers(said, name, made)
    _binaries(said, made)
    for key, value in said.items():
        _one(key, value, made)
    for section in settings.others:
        why = "is for other deployment servers"
        made.left.append(NotCarried(f"[{section}]", "", why, f"import it with host=NAME.{section}"))
    return made


# -- targets and groups ---------------------------------------------------------------------------------


def _groups(said: dict[str, str], hosts_in: HostsIn, made: ScapTranslation) -> None:
    names = [each.strip() for each in said.pop("server_groups", _DEFAULT).split(",") if each.strip()]
    taken: list[str] = []
    groups: list[dict[str, Any]] = []
    is_known = True
    usual_size = said.pop("group_size", "")
    for name in names:
        own = {key: said.pop(f"{name}_{key}", "") for key in _OF_GROUPS}
        file = own["dsh_targets"] or (said.pop("dsh_targets", "") if name == _DEFAULT else "")
        found = hosts_in(file) if file else None
        if found is None:
            is_known = False
            made.left.append(_no_hosts(name, file))
        hosts = [each for each in found or () if each not in taken]
        taken += hosts
        size = own["group_size"] or usual_size
        group: dict[str, Any] = {"name": name}
        if name != _DEFAULT and hosts:
            group |= {"targets": ",".join(hosts), "targets_type": "list"}
        if own["failure_limit"]:
            group["failure_limit"] = own["failure_limit"]
        if size:
            group["group_size"] = int(size) if size.isdecimal() else size
        if size or name != names[-1]:
            group["hold"] = "ask"  # as scap does behind each of them
        groups.append(group)
    if taken and is_known:
        made.repo |= {"targets": ",".join(taken), "targets_type": "list"}
    if groups != [{"name": _DEFAULT}]:
        made.repo["groups"] = groups
    if limit := said.pop("failure_limit", ""):
        made.repo["failure_limit"] = limit


def _no_hosts(group: str, file: str) -> NotCarried:
    key = "dsh_targets" if group == _DEFAULT else f"{group}_dsh_targets"
    why = f"there is no file {file} beside scap.cfg nor in /etc/dsh/group" if file else "names no file"
    act = "say targets in the pillar, or give those hosts the grain deployment_target"
    return NotCarried(key, file, why, act)


def _batches(said: dict[str, str], made: ScapTranslation) -> None:
    usual = said.pop("batch_size", str(_MOST_AT_ONCE))
    for stage, ours in _OF_STAGES.items():
        size = said.pop(f"{stage}{_BATCH}", usual)
        made.repo[ours] = min(int(size), _MOST_AT_ONCE) if size.isdecimal() else size
    for key in [key for key in said if key.endswith(_BATCH)]:
        why = "such a stage has no batch of its own here: a host restarts right behind its switch, in `batch`"
        made.left.append(NotCarried(key, said.pop(key), why))


# -- single keys ----------------------------------------------------------------------------------------


def _announcers(said: dict[str, str], name: str, made: ScapTranslation) -> None:
    for key, kind, usual, more in _ANNOUNCERS:
        host, port = said.pop(f"{key}_host", ""), said.pop(f"{key}_port", usual)
        if host:
            told = {"host": host, "port": int(port) if port.isdecimal() else port, **more, "repos": [name]}
            made.signals[f"{kind}-{name.replace('/', '-')}"] = {"kind": kind, **told}


def _binaries(said: dict[str, str], made: ScapTranslation) -> None:
    manager = said.pop("git_binary_manager", "")
    wanted = [each.strip() for each in manager.split(",") if each.strip()]
    if (old := said.pop("git_fat", "")) and _is_true(old) and not wanted:
        wanted = ["git-fat"]
    for each in wanted:
        if each in _MANAGERS:
            made.repo.setdefault("blobs", {})[_MANAGERS[each]] = []
        else:
            made.left.append(NotCarried("git_binary_manager", each, "is none that is known here"))


def _one(key: str, value: str, made: ScapTranslation) -> None:
    if key in _AS_IT_IS:
        try:
            made.repo |= _AS_IT_IS[key](value)
        except ValueError as error:
            made.left.append(NotCarried(key, value, f"{value!r} {error}"))
        return
    why, act = _LEFT.get(key, ("nobody here knows this key of scap's", ""))
    made.left.append(NotCarried(key, value, why, act))


def _is_true(value: str) -> bool:
    try:
        return flag(value)
    except ValueError:
        return False


def _number(value: str) -> int:
    if not value.strip().isdecimal():
        raise ValueError("is no number")
    return int(value)


def _slots(value: str) -> dict[str, Any]:
    """scap keeps as many revisions; ``slots`` are trees that are recycled."""
    return {"slots": min(max(_number(value), _LEAST_SLOTS), _MOST_SLOTS)}


def _ports(value: str) -> dict[str, Any]:
    return {"service_port": [_number(each) for each in value.split(",")]}


_AS_IT_IS: dict[str, Callable[[str], dict[str, Any]]] = {
    "service_name": lambda value: {"service_name": value},
    "service_port": _ports,
    "service_timeout": lambda value: {"service_timeout": float(value)},
    "git_submodules": lambda value: {"checkout_submodules": flag(value)},
    "cache_revs": _slots,
    "tags_to_keep": lambda value: {"keep_tags": _number(value)},
}


def _rows(why: str, act: str, keys: Iterable[str]) -> dict[str, tuple[str, str]]:
    return dict.fromkeys(keys, (why, act))


_LEFT: dict[str, tuple[str, str]] = {
    **_rows(
        "hosts get releases from the master, over Salt's own channel",
        "transport: git in the pillar, with url or deployment_config:servers, if hosts shall fetch by git",
        ("git_server", "git_scheme"),
    ),
    **_rows("Salt reaches the hosts: there is no ssh, and no key of it", "", ("ssh_user", "keyholder_key")),
    **_rows(
        "submodules are fetched from the URLs in .gitmodules, as with True",
        "submodule_urls in the pillar puts other URLs in their place",
        ("git_upstream_submodules",),
    ),
    **_rows(
        "what is deployed is said with each deploy",
        "salt-run deploy.sync repo=REPO branch=BRANCH, or commit=",
        ("git_rev",),
    ),
    **_rows(
        "configuration files are not made of templates here",
        "states of Salt (file.managed), or a build of deploy.stage",
        ("config_deploy",),
    ),
    **_rows(
        "it is said with each check of type nrpe", "nrpe_dir in the checks that are of type nrpe", ("nrpe_dir",)
    ),
    **_rows(
        "the checks of a release are always done", "take scap/checks.yaml out of the releases", ("perform_checks",)
    ),
    **_rows(
        "a service that a host does not have fails there",
        "groups of hosts, or a pillar that differs by grains",
        ("require_valid_service",),
    ),
    **_rows(
        "files have the modes that git has for them, 755 or 644, and belong to the minion's user", "", ("umask",)
    ),
    **_rows(
        "locks are the master's own, of a repo, a group or all",
        "salt-run deploy.lock repo=REPO reason=WHY",
        ("lock_file", "block_deployments"),
    ),
    **_rows(
        "a deploy does not end with the terminal that began it: salt-run deploy.watch comes back to it",
        "",
        ("require_terminal_multiplexer",),
    ),
    **_rows(
        "canaries are watched by checks of type metric",
        "checks in the pillar, type: metric with prometheus or url (docs/checks.md)",
        ("canary_threshold", "canary_wait_time", "canary_service", "canary_dashboard_url",
         "production_error_threshold", "logstash_host", "mediawiki_canary_swagger_url",
         "mediawiki_canary_swagger_spec_path"),
    ),
    **_rows(
        "the log of each deploy is its journal", "salt-run deploy.log, or signals (docs/signals.md)",
        ("log_json", "use_syslog", "udp2log_host", "udp2log_port"),
    ),
    **_rows("the terminal shows bars where it can", "", ("fancy_progress",)),
    **_rows("which environment was read is said with the import", "environment=NAME", ("environment",)),
    **_rows(
        "is of scap 2, which deploys MediaWiki with steps of its own",
        "deploy.stage composes core, extensions and patches (docs/staging.md); php-fpm: restart_command",
        ("deploy_dir", "stage_dir", "php_version", "mw_web_clusters", "master_rsync", "wmf_realm", "datacenter",
         "dsh_masters", "dsh_proxies", "scap3_mediawiki", "patch_path", "php7_admin_port",
         "php_fpm_opcache_threshold", "php_fpm_always_restart", "php_l10n"),
    ),
}  # fmt: skip
