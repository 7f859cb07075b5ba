"""`python -m na64mu`: the command line without the script."""

from __future__ import annotations

from na64mu.cli import main

if __name__ == "__main__":
    main(prog_name="na64mu")
