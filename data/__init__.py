"""Detector descriptions, calibrations, published numbers and the small sample."""

from __future__ import annotations

from pathlib import Path

from na64mu.errors import InputError

__all__ = ("glossary", "sample_files")


def sample_files(pattern: str = "*") -> list[Path]:
    """Files of the sample that ships with the package.

    Parameters
    ----------
    pattern : str
        Of the name without its ending, as in `sample_files("physics_*")`.

    Returns
    -------
    list of Path
        Sorted; data/sample/README.md says what each holds.

    Raises
    ------
    InputError
        If there is none.
    """
    folder = Path(__file__).parent / "sample"
    found = sorted(folder.glob(f"{pattern}.root")) if pattern and "/" not in str(pattern) else []
    if not found:
        known = ", ".join(p.stem for p in sorted(folder.glob("*.root")))
        msg = f"no file of the sample matches {pattern!r}: known are {known}"
        raise InputError(msg)
    return found


def glossary() -> dict[str, str]:
    """Words of the experiment and of this software.

    Returns
    -------
    dict of str to str
        Words (with commas between those that mean the same) -> what they mean, in plain text.
    """
    text = (Path(__file__).parent / "glossary.md").read_text(encoding="utf-8")
    entries = [entry.partition("\n: ") for entry in text.strip().split("\n\n")]
    return {head.replace("\n", ", "): " ".join(body.replace("`", "").split()) for head, _, body in entries}
