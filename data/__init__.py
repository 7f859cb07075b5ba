"""Detector descriptions, calibrations, published numbers and the small sample."""

from __future__ import annotations

from pathlib import Path

__all__ = ("sample_files",)


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
    """
    return sorted((Path(__file__).parent / "sample").glob(f"{pattern}.root"))
