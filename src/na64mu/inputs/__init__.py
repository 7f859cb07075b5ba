"""Files, datasets, chunks and bookkeeping of raw trees and event summaries."""
