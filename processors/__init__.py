"""coffea processors: what a physicist reads and edits first."""
