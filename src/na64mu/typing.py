"""Array types used in signatures; the docstrings give shapes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ("AnyArray", "BoolArray", "Float32Array", "FloatArray", "IntArray", "Summary", "WordArray")

FloatArray = NDArray[np.float64]
Float32Array = NDArray[np.float32]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
WordArray = NDArray[np.uint64]
AnyArray = NDArray[Any]

#: The event summary: column name -> array of shape (n_events,); see na64mu.reconstruction.summary.
Summary = dict[str, AnyArray]
