"""Seals: what is signed is the release with its root; nothing else, and by nobody else."""

from __future__ import annotations

import dataclasses
import json
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from saltdeploy import config
from saltdeploy.lib.errors import ConfigError, DeployError, Unsigned
from saltdeploy.protocol import seals
from saltdeploy.protocol.release import Release
from saltdeploy.protocol.seals import Seal

from tests.support.signing import generate, public_pem
from tests.unit.strategies import anything

RELEASE = Release("mediawiki/slot0", "release/2026-11-23/1", "a" * 40)
SEAL = Seal("0123456789abcdef" * 4, "fat+lfs")


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return generate(tmp_path / "key.pem")


@pytest.fixture
def public(key: Path) -> str:
    return seals.public_key(public_pem(key))


def test_what_is_signed_is_accepted_also_after_a_journey(key: Path, public: str) -> None:
    signed = seals.signed(RELEASE, SEAL, key)
    arrived = Seal.from_wire(json.loads(json.dumps(signed.to_wire())))
    seals.refuse_unsigned(RELEASE, arrived, [public])
    assert dataclasses.replace(signed, signature="") == SEAL
    assert public == seals.public_key_of(key)


@pytest.mark.parametrize(
    ("release", "seal"),
    [
        (dataclasses.replace(RELEASE, repo="mediawiki/slot1"), {}),
        (dataclasses.replace(RELEASE, tag="release/2026-11-23/2"), {}),
        (dataclasses.replace(RELEASE, commit="b" * 40), {}),
        (RELEASE, {"root": "f" * 64}),
        (RELEASE, {"shape": ""}),
        (RELEASE, {"signature": "0" * 128}),
        (RELEASE, {"signature": ""}),
    ],
    ids=["repo", "tag", "commit", "root", "shape", "signature", "none"],
)
def test_a_signature_is_for_one_release_and_one_root(
    release: Release, seal: dict[str, str], key: Path, public: str
) -> None:
    signed = dataclasses.replace(seals.signed(RELEASE, SEAL, key), **seal)
    with pytest.raises(Unsigned) as caught:
        seals.refuse_unsigned(release, signed, [public])
    assert caught.value.repo == release.repo
    assert caught.value.next


def test_a_release_without_a_seal_is_refused_only_where_keys_are_trusted(public: str) -> None:
    seals.refuse_unsigned(RELEASE, None, [])
    with pytest.raises(Unsigned):
        seals.refuse_unsigned(RELEASE, None, [public])


def test_keys_change_by_trusting_the_old_and_the_new_one_for_a_while(key: Path, tmp_path: Path) -> None:
    new = generate(tmp_path / "new.pem")
    both = [seals.public_key(public_pem(each)) for each in (key, new)]
    for each in (key, new):
        seals.refuse_unsigned(RELEASE, seals.signed(RELEASE, SEAL, each), both)
    with pytest.raises(Unsigned):
        seals.refuse_unsigned(RELEASE, seals.signed(RELEASE, SEAL, key), both[1:])


def test_openssl_verifies_what_the_page_says_is_signed(key: Path, tmp_path: Path) -> None:
    message = tmp_path / "message"
    message.write_bytes(
        b"saltdeploy release 1\n"
        b'["mediawiki/slot0","release/2026-11-23/1","' + b"a" * 40 + b'","fat+lfs","'
        + b"0123456789abcdef" * 4 + b'"]'
    )  # fmt: skip
    signature = tmp_path / "signature"
    signature.write_bytes(bytes.fromhex(seals.signed(RELEASE, SEAL, key).signature))
    command = ["openssl", "pkeyutl", "-verify", "-rawin", "-inkey", str(key), "-in", str(message)]
    subprocess.run([*command, "-sigfile", str(signature)], check=True, stdout=subprocess.DEVNULL)


def test_a_key_that_others_can_read_is_not_used(key: Path) -> None:
    key.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        seals.signed(RELEASE, SEAL, key)


@pytest.mark.parametrize("kind", ["gone", "rubbish", "public", "rsa", "passphrase"])
def test_a_file_without_a_fit_key_is_one_error_that_tells_nothing_of_it(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "other.pem"
    if kind == "rubbish":
        file.write_text("-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n")
    elif kind == "public":
        file.write_text(public_pem(generate(tmp_path / "key.pem")))
    elif kind == "rsa":
        generate(file, "-algorithm", "rsa", "-pkeyopt", "rsa_keygen_bits:2048")
    elif kind == "passphrase":
        generate(file, "-algorithm", "ed25519", "-aes256", "-pass", "pass:c2VjcmV0")
    if file.exists():
        file.chmod(0o600)
    with pytest.raises(ConfigError) as caught:
        seals.signed(RELEASE, SEAL, file)
    told = json.dumps(caught.value.to_wire())
    assert str(file) in told
    assert "c2VjcmV0" not in told
    assert caught.value.path == "deployment_config:signing_key"


@pytest.mark.parametrize("keys", ["text", [""], ["text"], [7], {"a": 1}, [None]])
def test_what_is_no_public_key_is_a_wrong_value(keys: object) -> None:
    with pytest.raises(ConfigError) as caught:
        load(keys)
    assert caught.value.path == "deployment_config:release_keys:0"


def test_a_private_key_in_the_pillar_is_refused_without_being_shown(key: Path) -> None:
    for keys in (key.read_text(), [key.read_text()]):
        with pytest.raises(ConfigError) as caught:
            load(keys)
        assert key.read_text().split("\n")[1][:8] not in json.dumps(caught.value.to_wire())


def test_the_pillar_takes_one_key_or_a_list(key: Path, public: str) -> None:
    assert load(public_pem(key)).trust.release_keys == load([public_pem(key)]).trust.release_keys == (public,)
    assert load(None).trust.release_keys == ()


def load(keys: object) -> config.Repo:
    pillar = {"deployment_config": {"release_keys": keys}, "repo_config": {"demo": {}}}
    return config.load(pillar, "demo")


@given(anything)
def test_a_seal_of_any_form_is_a_seal_or_an_error_of_ours(data: object) -> None:
    for each in (data, {"root": "0" * 64, "shape": "", "signature": data}, {"root": data}):
        try:
            seal = Seal.from_wire(each)
        except DeployError:
            continue
        assert seal is None or Seal.from_wire(seal.to_wire()) == seal
