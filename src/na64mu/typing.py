"""Array types used in signatures; the docstrings give shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

__all__ = ("AnyArray", "BoolArray", "Float32Array", "FloatArray", "IntArray", "Record", "RecordArray", "Summary", "WordArray")

FloatArray = NDArray[np.float64]
Float32Array = NDArray[np.float32]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
WordArray = NDArray[np.uint64]

if TYPE_CHECKING:

    class Record:
        """A row whose fields have names; see na64mu.compiled.records. A type checker lets it have any field."""

        def __getattr__(self, name: str) -> Any: ...

        def __setattr__(self, name: str, value: Any) -> None: ...

else:
    Record = np.record

#: An array of such rows.
RecordArray = NDArray[np.record]
AnyArray = NDArray[Any]

#: The event summary: column name -> array of shape (n_events,); see na64mu.reconstruction.summary.
Summary = dict[str, AnyArray]
