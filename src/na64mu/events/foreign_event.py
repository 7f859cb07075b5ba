"""The event of a foreign tree inside coffea: it carries its layout and reads itself in the form of the raw tree."""

from __future__ import annotations

import awkward as ak

from na64mu.errors import InputError
from na64mu.events.batch import RawBatch
from na64mu.events.behaviors import behavior
from na64mu.events.coffea_names import NanoEvents
from na64mu.events.layout import Layout
from na64mu.events.reader import read_batch

__all__ = ("ForeignEvent",)


@ak.mixin_class(behavior)
class ForeignEvent(NanoEvents):
    """An event of a foreign tree that carries the layout by which it maps onto the raw tree."""

    def read_batch(self) -> RawBatch:
        """Read the same entries of the file in the form of the raw tree.

        Returns
        -------
        RawBatch
            Same number of events.

        Raises
        ------
        InputError
            If events were selected before, so that the entries are no longer known.
        """
        where = self.metadata
        layout = Layout.model_validate_json(self.layout.purelist_parameter("layout"))
        batch = read_batch(where["filename"], where["entrystart"], where["entrystop"], layout=layout)
        if len(batch) != len(self):
            msg = f"{where['filename']}: {len(self)} of {len(batch)} events were selected; read a foreign tree before selecting"
            raise InputError(msg)
        return batch
