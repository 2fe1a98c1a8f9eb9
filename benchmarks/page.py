"""Write `docs/benchmarks.md` from the results files: `python -m benchmarks.page`."""

from __future__ import annotations

from pathlib import Path

from sdk.results import read_results
from sdk.suite.page import page

PAGE = Path("docs/benchmarks.md")

if __name__ == "__main__":
    PAGE.write_text(page(read_results()), encoding="utf-8")
    print(PAGE)
