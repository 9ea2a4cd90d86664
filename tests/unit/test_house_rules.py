"""What the house rules catch, and what they let pass."""

from __future__ import annotations

import pytest

from tools import house_rules


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("demo/fleet.py", "subprocess.run(line, shell=" + "True)"),
        ("_modules/deploy.py", "os.sys" + "tem('true')"),
        ("_runners/deploy.py", 'tag = f"deploy/{jid}/started"'),
        ("_utils/saltdeploy/master/fleet/minions.py", 'tag = "deploy/" + jid'),
        ("_utils/saltdeploy/master/deploy.py", '_run(["git", "log"])'),
        ("_utils/saltdeploy/layouts/slots.py", "disk.switch_link(self._repo.location, slot.tree)"),
        ("_utils/saltdeploy/layouts/inplace.py", "moved_aside = disk.install(first, location)"),
        ("docs/install.md", "see /ho" + "me/alice/checkout"),
        ("docs/layouts.md", "a damaged tree is made " + "anew"),
        ("README.md", "TO" + "DO: write this"),
        ("Makefile", "two spaces at the end  "),
    ],
)
def test_the_house_rules_catch(path: str, line: str) -> None:
    assert len(house_rules.breaches(path, f"fine\n{line}\n")) == 1


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("_utils/saltdeploy/protocol/events.py", 'tag = f"{ROOT}/{deploy}"'),
        ("_utils/saltdeploy/git/command.py", 'Popen(["git", *arguments])'),
        ("_utils/saltdeploy/layouts/activate.py", "disk.switch_link(location, destination)"),
        ("_utils/saltdeploy/minion/stages.py", 'place = cache / "deploy" / "incoming"'),
        ("_fileserver/deploy_payloads.py", "Served as ``salt://deploy/<sha256>``."),
        ("tests/unit/protocol/test_events.py", 'assert tag == "deploy/1/started"'),
    ],
)
def test_the_house_rules_let_pass(path: str, line: str) -> None:
    assert house_rules.breaches(path, f"{line}\n") == []


def test_a_class_name_that_stands_for_two_classes_is_told_with_both_files() -> None:
    sources = {"a.py": "class Plan:\n    pass\n", "b.py": "class Plan(Protocol):\n", "c.py": "class Pin:\n"}
    assert house_rules.shared_class_names(sources) == ["a.py, b.py: give each class a name of its own: Plan"]
