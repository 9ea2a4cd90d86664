"""What scap deploys a repository by becomes our pillar, and what has no place there is named with its reason."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from saltdeploy import config
from saltdeploy.lib.errors import BadChecks, ConfigError, DeployError
from saltdeploy.master.doctor.seen import MasterSettings
from saltdeploy.master.upkeep.scap_import import ScapWish, carry_over
from saltdeploy.watch.console.results import render

SCAP_CFG = """\
[global]
git_repo: mathoid/deploy
git_deploy_dir: /srv/deployment
ssh_user: deploy-service
server_groups: canary, default
canary_dsh_targets: mathoid-canary
dsh_targets: mathoid
canary_failure_limit = 0
failure_limit: 30%
group_size: 10
batch_size: 20
promote_batch_size: 2
git_submodules: True
git_binary_manager: git-lfs, git-thin
service_name: mathoid, nginx=reload
service_port: 10042
service_timeout: 60.0
cache_revs: 2
tags_to_keep: 30
config_deploy: yes
tcpircbot_host: irc.example.org
statsd_host: statsd.example.org
canary_threshold: 10
nonsense: 7

[wmnet]
git_server: deploy1.eqiad.wmnet

[eqiad.wmnet]
service_timeout: 90.0

[beta.example.org]
service_name: nothing
"""
CHECKS = """\
checks:
  endpoints: {type: nrpe, stage: promote, command: check_endpoints_mathoid}
  venv: {type: script, after: promote, command: build_venv.sh}
  warm: {type: command, after: promote, command: 'curl -s localhost | grep -q ok', shell: true}
  over: {type: command, after: config_diff, command: "true"}
"""


class ScapRepository:
    """A repository on a deployment server of scap's, and the master that imports it."""

    def __init__(self, root: Path) -> None:
        self.top = root / "mathoid"
        self.root = root
        self.write("scap.cfg", SCAP_CFG)
        self.write("mathoid-canary", "scb1001.eqiad.wmnet\n# the first\n")
        self.write("mathoid", "scb1001.eqiad.wmnet\nscb1002.eqiad.wmnet # new\nscb2001.codfw.wmnet\n")

    def write(self, name: str, text: str) -> None:
        path = self.top / "scap" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def imported(self, **wish: Any) -> dict[str, Any]:
        settings = MasterSettings(
            "m", "root", Path(), self.root / "conf", self.root / "pillar", self.root, (), (), frozenset()
        )
        usual = {"host": "deploy1.eqiad.wmnet", "config_file": str(self.root / "none")}
        return carry_over(ScapWish(str(self.top), **{**usual, **wish}), settings)

    def pillar(self, **wish: Any) -> dict[str, Any]:
        found: dict[str, Any] = yaml.safe_load(self.imported(**wish)["pieces"][0]["text"])
        return found

    def left(self, **wish: Any) -> dict[str, tuple[str, str]]:
        return {each["key"]: (each["why"], each["next"]) for each in self.imported(**wish)["left"]}


@pytest.fixture
def scap(tmp_path: Path) -> ScapRepository:
    return ScapRepository(tmp_path)


def test_what_scap_cfg_says_becomes_a_pillar_that_is_valid(scap: ScapRepository) -> None:
    pillar = scap.pillar()
    assert pillar["repo_config"]["mathoid/deploy"] == {
        "source": str(scap.top),
        "location": "/srv/deployment/mathoid/deploy",
        "tag_scheme": "scap",
        "on_failure": "ask",
        "targets": "scb1001.eqiad.wmnet,scb1002.eqiad.wmnet,scb2001.codfw.wmnet",
        "targets_type": "list",
        "groups": [
            {
                "name": "canary",
                "targets": "scb1001.eqiad.wmnet",
                "targets_type": "list",
                "failure_limit": "0",
                "group_size": 10,
                "hold": "ask",
            },
            {"name": "default", "group_size": 10, "hold": "ask"},
        ],
        "failure_limit": "30%",
        "fetch_batch": 20,
        "batch": 2,
        "rollback_batch": 20,
        "checkout_submodules": True,
        "blobs": {"lfs": []},
        "service_name": "mathoid, nginx=reload",
        "service_port": [10042],
        "service_timeout": 90.0,
        "slots": 3,
        "keep_tags": 30,
    }
    assert pillar["deployment_config"]["signals"] == {
        "irc-mathoid-deploy": {
            "kind": "irc",
            "host": "irc.example.org",
            "port": 9200,
            "wording": "scap",
            "repos": ["mathoid/deploy"],
        },
        "statsd-mathoid-deploy": {
            "kind": "statsd",
            "host": "statsd.example.org",
            "port": 2003,
            "repos": ["mathoid/deploy"],
        },
    }
    repo = config.load(pillar, "mathoid/deploy")
    assert [group.name for group in repo.rollout.groups] == ["canary", "default"]
    assert [(each.name, each.action) for each in repo.hooks.restart.services] == [
        ("mathoid", "restart"),
        ("nginx", "reload"),
    ]


def test_each_key_that_is_not_carried_over_is_named_with_its_reason(scap: ScapRepository) -> None:
    left = scap.left()
    assert set(left) == {
        "ssh_user",
        "git_binary_manager",
        "config_deploy",
        "canary_threshold",
        "nonsense",
        "git_server",
        "[beta.example.org]",
    }
    assert all(why for why, _ in left.values())
    assert left["nonsense"][0] == "nobody here knows this key of scap's"
    assert "host=NAME.beta.example.org" in left["[beta.example.org]"][1]


def test_an_environment_counts_before_what_is_for_all_and_the_server_s_own_file_counts_least(
    scap: ScapRepository,
) -> None:
    scap.write("environments/beta/scap.cfg", "[global]\nservice_port: 7\nserver_groups: default\n")
    scap.write("environments/beta/mathoid", "beta1.example.org\n")
    (scap.root / "all.cfg").write_text("[global]\nservice_port: 1\nservice_timeout: 5\ncache_revs: 9\n")
    found = scap.pillar(environment="beta", config_file=str(scap.root / "all.cfg"))
    section = found["repo_config"]["mathoid/deploy"]
    assert (section["service_port"], section["targets"]) == ([7], "beta1.example.org")
    assert (section["service_timeout"], section["slots"]) == (90.0, 3)
    with pytest.raises(ConfigError) as refused:
        scap.imported(environment="alpha")
    assert refused.value.next == "environment= is one of beta"
    scap.write("scap.cfg", f"{SCAP_CFG}\n[eqiad.wmnet.]\n".replace("nonsense: 7", "environment: beta"))
    assert scap.imported()["environment"] == "beta", "as scap does"


def test_what_is_not_valid_here_is_left_out_and_named(scap: ScapRepository) -> None:
    text = SCAP_CFG.replace("30%", "30.5%").replace("10042", "http").replace("git_submodules: True", "")
    scap.write("scap.cfg", text.replace("config_deploy: yes", "git_submodules: maybe"))
    left = scap.left()
    assert left["failure_limit"][0].startswith("is not valid here: ")
    assert "is no number" in left["service_port"][0] and "is no truth value" in left["git_submodules"][0]
    config.load(scap.pillar(), "mathoid/deploy")


def test_hosts_that_nobody_has_listed_are_named_and_the_grain_counts(scap: ScapRepository) -> None:
    (scap.top / "scap" / "mathoid").unlink()
    assert "there is no file mathoid" in scap.left()["dsh_targets"][0]
    assert "targets" not in scap.pillar()["repo_config"]["mathoid/deploy"]


# -- checks ---------------------------------------------------------------------------------------------


def test_checks_of_the_release_stay_there_and_those_that_would_be_refused_are_named(
    scap: ScapRepository,
) -> None:
    scap.write("checks.yaml", CHECKS)
    assert "checks" not in scap.pillar()["repo_config"]["mathoid/deploy"]
    left = scap.left()
    why, act = left["checks.yaml: warm"]
    assert "no shell is used" in why
    assert act == "command: [/bin/sh, -c, curl -s localhost | grep -q ok], without shell"
    assert "use after: config_deploy" in left["checks.yaml: over"][0]
    assert not {"checks.yaml: venv", "checks.yaml: endpoints"} & set(left)


def test_checks_of_an_environment_come_into_the_pillar_in_our_words(scap: ScapRepository) -> None:
    scap.write("checks.yaml", CHECKS)
    scap.write(
        "environments/beta/checks.yaml",
        "checks:\n  venv:\n  smoke: {type: command, after: promote, command: ./smoke}\n"
        "  port: {type: nrpe, stage: handle_service, command: check_port}\n",
    )
    found = scap.pillar(environment="beta")["repo_config"]["mathoid/deploy"]["checks"]
    assert found == {
        "smoke": {"type": "command", "command": "./smoke", "after": "checkout"},
        "port": {"type": "nrpe", "command": "check_port", "after": "restart"},
    }
    left = scap.left(environment="beta")
    assert "in every environment" in left["environments/beta/checks.yaml: venv"][0]


def test_each_configuration_file_of_a_template_is_named(scap: ScapRepository) -> None:
    scap.write(
        "config-files.yaml",
        "/etc/mathoid/config.yaml: {template: config.yaml.j2, remote_vars: /etc/v.yaml}\n",
    )
    why, act = scap.left()["config-files.yaml: /etc/mathoid/config.yaml"]
    assert "template" in why and "file.managed" in act


@pytest.mark.parametrize("text", ["checks: [", "checks: {a: {}, a: {}}", "checks: 7"])
def test_a_file_of_checks_that_cannot_be_read_is_refused(scap: ScapRepository, text: str) -> None:
    scap.write("checks.yaml", text)
    with pytest.raises(BadChecks):
        scap.imported()


# -- the file -------------------------------------------------------------------------------------------


def test_the_pillar_is_written_into_a_file_that_is_not_there_and_never_over_one(scap: ScapRepository) -> None:
    done = scap.imported(write=True)
    path = scap.root / "pillar" / "deploy-mathoid-deploy.sls"
    assert (done["retcode"], done["pieces"][0]["state"], Path(done["pieces"][0]["path"])) == (
        0,
        "written",
        path,
    )
    assert path.read_text() == done["pieces"][0]["text"]
    path.write_text("mine\n")
    done = scap.imported(write=True)
    assert (done["retcode"], done["pieces"][0]["state"], path.read_text()) == (1, "exists", "mine\n")


def test_it_ends_with_the_commands_that_follow_and_the_newest_of_scap_s_tags(scap: ScapRepository) -> None:
    run = ["git", "-C", str(scap.top), "-c", "user.name=x", "-c", "user.email=x@x"]
    subprocess.run(["git", "init", "-q", str(scap.top)], check=True)
    subprocess.run([*run, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    for number in (9, 10):
        subprocess.run([*run, "tag", f"scap/sync/2026-11-20/{number:04d}"], check=True)
    done = scap.imported()
    assert done["next"][-1] == "salt-run deploy.plan repo=mathoid/deploy tag=scap/sync/2026-11-20/0010"
    shown = str(render(done))
    assert "tag_scheme: scap" in shown and "nonsense 7: nobody here knows this key" in shown


@pytest.mark.parametrize(
    ("text", "cause"),
    [("no section\n", "no configuration of scap"), ("[global]\nssh_user: x\n", "does not say git_repo")],
)
def test_what_is_no_configuration_is_refused(scap: ScapRepository, text: str, cause: str) -> None:
    scap.write("scap.cfg", text)
    with pytest.raises(DeployError, match=cause):
        scap.imported()


def test_a_directory_without_scap_is_refused(scap: ScapRepository) -> None:
    with pytest.raises(ConfigError, match="there is no scap/scap.cfg"):
        carry_over(ScapWish("/nowhere"), None)  # type: ignore[arg-type]
