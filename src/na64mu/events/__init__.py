"""The raw tree: form, schema and behaviours, reader, writer, checker and layouts."""

from __future__ import annotations
