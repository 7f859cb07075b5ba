"""Detached signatures of files, made and checked by the programs of the user: ssh-keygen, or minisign.

The kind follows from the key: one of minisign begins with "untrusted comment:", everything else is one of SSH.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from na64mu.errors import SignatureError

__all__ = ("sign_file", "verify_file")

#: What a signature of SSH is for: one that was made for something else is not taken.
NAMESPACE = "na64mu-freeze"
MINISIGN = "untrusted comment:"


def sign_file(path: str | Path, key: str | Path) -> Path:
    """Sign a file; the program asks for the pass phrase of the key if it has one.

    Parameters
    ----------
    path : str or Path
        The file.
    key : str or Path
        Private key of SSH, or its public half where an agent holds the private one, or a secret key of minisign.

    Returns
    -------
    Path
        The signature beside the file: its name with .sig (SSH) or .minisig.

    Raises
    ------
    SignatureError
        If there is no key or no program, or it fails.
    """
    if _is_minisign(key):
        target = Path(f"{path}.minisig")
        _called("minisign", "-S", "-s", str(key), "-m", str(path), "-x", str(target), why=f"{path}: was not signed")
        return target
    target = Path(f"{path}.sig")
    target.unlink(missing_ok=True)  # ssh-keygen would ask
    _called("ssh-keygen", "-Y", "sign", "-f", str(key), "-n", NAMESPACE, str(path), why=f"{path}: was not signed")
    return target


def verify_file(path: str | Path, public: str | Path) -> str:
    """Check the signature of a file.

    Parameters
    ----------
    path : str or Path
        The file; its signature lies beside it.
    public : str or Path
        File of allowed signers of SSH (each line: a name, a public key; `man ssh-keygen`), or a public key of minisign.

    Returns
    -------
    str
        Who signed: the name in the file of allowed signers, or the file of the public key.

    Raises
    ------
    SignatureError
        If there is no signature, it is not one of these, or the file is not what was signed.
    """
    if _is_minisign(public):
        signature = _signature(path, ".minisig")
        _called("minisign", "-V", "-q", "-p", str(public), "-m", str(path), "-x", str(signature), why=_wrong(path, public))
        return str(public)
    signature = _signature(path, ".sig")
    asked = ("-Y", "find-principals", "-s", str(signature), "-f", str(public))
    names = _called("ssh-keygen", *asked, why=_wrong(path, public)).split()
    if not names:
        raise SignatureError(_wrong(path, public))
    words = ("-Y", "verify", "-f", str(public), "-I", names[0], "-n", NAMESPACE, "-s", str(signature))
    _called("ssh-keygen", *words, why=_wrong(path, public), given=Path(path).read_bytes())
    return names[0]


def _wrong(path: str | Path, public: str | Path) -> str:
    return f"{path}: its signature is not one of {public}, or the file was changed after it was signed"


def _signature(path: str | Path, ending: str) -> Path:
    found = Path(f"{path}{ending}")
    if not found.is_file():
        msg = f"{path}: is not signed: there is no {found}; sign it with `na64mu freeze ... --sign KEY`"
        raise SignatureError(msg)
    return found


def _is_minisign(key: str | Path) -> bool:
    try:
        with Path(key).open("rb") as stream:
            return stream.read(len(MINISIGN)) == MINISIGN.encode()
    except OSError as error:
        msg = f"{key}: the key cannot be read ({error.strerror})"
        raise SignatureError(msg) from error


def _called(program: str, *words: str, why: str, given: bytes | None = None) -> str:
    """Output of a program; what it says of an error is the end of the message."""
    found = shutil.which(program)
    if found is None:
        msg = f"{why}: the program {program} is not installed on this machine"
        raise SignatureError(msg)
    done = subprocess.run([found, *words], input=given, capture_output=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
        msg = f"{why} ({program}: {said[-1] if said else f'exit code {done.returncode}'})"
        raise SignatureError(msg)
    return done.stdout.decode(errors="replace")
