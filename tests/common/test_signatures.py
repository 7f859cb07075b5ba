from __future__ import annotations

import shutil
import subprocess

import pytest

from na64mu.common import signatures
from na64mu.common.signatures import sign_file, verify_file
from na64mu.errors import SignatureError

needs_ssh = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    place = tmp_path_factory.mktemp("keys")
    for name in ("anna", "otto"):
        words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", place / name]
        subprocess.run(words, check=True, stdin=subprocess.DEVNULL)
        (place / f"{name}_signers").write_text(f"{name}@experiment {(place / f'{name}.pub').read_text()}")
    return place


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "freeze.json"
    path.write_text("{}")
    return path


@needs_ssh
def test_whose_signature_it_is(keys, file):
    assert sign_file(file, keys / "anna") == sign_file(file, keys / "anna")  # again: without a question
    assert verify_file(file, keys / "anna_signers") == "anna@experiment"


@needs_ssh
def test_what_is_no_signature_of_the_file(keys, file):
    with pytest.raises(SignatureError, match=r"freeze.json: is not signed: there is no .*freeze.json.sig; sign it with"):
        verify_file(file, keys / "anna_signers")
    sign_file(file, keys / "anna")
    wrong = r"freeze.json: its signature is not one of .*signers, or the file was changed after it was signed \(ssh-keygen: "
    with pytest.raises(SignatureError, match=wrong):
        verify_file(file, keys / "otto_signers")
    file.write_text("{ }")
    with pytest.raises(SignatureError, match=wrong):
        verify_file(file, keys / "anna_signers")


@needs_ssh
def test_a_signature_for_another_purpose_is_none(keys, file):
    subprocess.run(["ssh-keygen", "-q", "-Y", "sign", "-f", keys / "anna", "-n", "git", file], check=True, capture_output=True)
    with pytest.raises(SignatureError, match="is not one of"):
        verify_file(file, keys / "anna_signers")


@needs_ssh
def test_what_is_no_key(file, tmp_path):
    (tmp_path / "text").write_text("no key")
    with pytest.raises(SignatureError, match=r"freeze.json: was not signed \(ssh-keygen: "):
        sign_file(file, tmp_path / "text")
    with pytest.raises(SignatureError, match=r"none: the key cannot be read \(No such file"):
        sign_file(file, tmp_path / "none")


@pytest.mark.parametrize(
    ("key", "program", "words"),
    [
        ("-----BEGIN OPENSSH PRIVATE KEY-----\n", "ssh-keygen", "-Y sign -f KEY -n na64mu-freeze FILE"),
        ("untrusted comment: minisign encrypted secret key\n", "minisign", "-S -s KEY -m FILE -x FILE.minisig"),
    ],
)
def test_the_program_follows_from_the_key(key, program, words, file, tmp_path, monkeypatch):
    (tmp_path / "key").write_text(key)
    with monkeypatch.context() as patch:
        patch.setattr(signatures.shutil, "which", lambda name: None)
        with pytest.raises(SignatureError, match=f"freeze.json: was not signed: the program {program} is not installed on this machine"):
            sign_file(file, tmp_path / "key")
    tool = tmp_path / program
    tool.write_text('#!/bin/sh\necho "$0 $*" > called\n')
    tool.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(signatures.shutil, "which", lambda name: str(tmp_path / name))
    sign_file(file, tmp_path / "key")
    expected = words.replace("KEY", str(tmp_path / "key")).replace("FILE", str(file))
    assert (tmp_path / "called").read_text() == f"{tool} {expected}\n"
