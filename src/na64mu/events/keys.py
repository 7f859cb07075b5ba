"""Checks of the sizes of objects and baskets in a ROOT file: one that claims more bytes than its blocks hold is damaged and is not allocated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import uproot.compression

from na64mu.errors import InputError

__all__ = ("check_keys", "must_fill")

#: A compressed block: two letters, the method, and the sizes of three bytes each, compressed and not.
HEADER = 9


def check_keys(file: Any, path: str | Path) -> None:
    """Check that every object in the top folder of a local file lies within it and unpacks to what its key says.

    Parameters
    ----------
    file : uproot.ReadOnlyDirectory
        An open file; only the heads of its compressed blocks are read.
    path : str or Path
        Path of the file.

    Raises
    ------
    InputError
        Names the object.
    """
    size = Path(path).stat().st_size
    with Path(path).open("rb") as stream:
        for name in file.keys(recursive=False):
            key = file.key(name)
            start, packed, unpacked = int(key.fSeekKey), int(key.fNbytes) - int(key.fKeylen), int(key.fObjlen)
            found = 0
            if start < 0 or packed < 0 or start + int(key.fNbytes) > size:
                reason = f"its key claims {key.fNbytes} bytes from byte {start} on, the file has {size}"
            elif packed == unpacked:
                continue
            else:
                found = _unpacked(stream, start + int(key.fKeylen), packed)
                if found == unpacked:
                    continue
                reason = f"its key claims {unpacked} bytes, its blocks have {found}"
            msg = f"{path}: the object {name!r} is damaged: {reason}; copy or make it again"
            raise InputError(msg)


def _unpacked(stream: Any, at: int, packed: int) -> int:
    """Bytes that the compressed blocks in a range of the file say they have unpacked."""
    total, end = 0, at + packed
    while at + HEADER <= end:
        stream.seek(at)
        head = stream.read(HEADER)
        if len(head) < HEADER:
            break
        at += HEADER + int.from_bytes(head[3:6], "little")
        total += int.from_bytes(head[6:9], "little")
    return total


def must_fill(
    *, chunk: Any, cursor: Any, context: Any, start: Any, compressed_bytes: int, uncompressed_bytes: int, num_blocks: int, **_: Any
) -> None:
    """Check, before anything is allocated, that compressed blocks unpack to what their key claims; uproot calls it before each block.

    Parameters
    ----------
    chunk, cursor, context, start
        Where uproot reads.
    compressed_bytes, uncompressed_bytes : int
        Sizes of all blocks together, as stated in the key.
    num_blocks : int
        Blocks that are unpacked already; the first call looks at all of them.

    Raises
    ------
    ValueError
        If they do not.
    """
    if num_blocks:
        return
    at, end, total = cursor.copy(), start.index + compressed_bytes, 0
    while at.index + HEADER <= end:
        head = at.bytes(chunk, HEADER, context).tobytes()
        at.skip(int.from_bytes(head[3:6], "little"))
        total += int.from_bytes(head[6:9], "little")
        if total >= uncompressed_bytes:
            break
    if total != uncompressed_bytes:
        msg = f"a key claims {uncompressed_bytes} bytes, its blocks have {total}"
        raise ValueError(msg)


uproot.compression.decompress.hook_before_block = must_fill
