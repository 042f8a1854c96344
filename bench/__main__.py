"""`make bench`: every measurement, one after the other."""

from __future__ import annotations

import runpy

MEASUREMENTS = ("build", "importing", "embedding", "search", "load")


def main() -> None:
    """Run them all; each prints its own lines."""
    for name in MEASUREMENTS:
        runpy.run_module(f"bench.{name}", run_name="__main__")
        print()


if __name__ == "__main__":
    main()
