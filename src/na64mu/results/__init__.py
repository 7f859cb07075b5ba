"""What a run leaves: cut-flow, histograms, exposure, losses, provenance; addable, and written as one output folder."""
