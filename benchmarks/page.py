"""Write `docs/benchmarks.md` and `docs/headline.md` from the results files: `python -m benchmarks.page`."""

from __future__ import annotations

from pathlib import Path

from sdk.results import read_results
from sdk.suite.headline import headline
from sdk.suite.page import page

PAGES = {Path("docs/benchmarks.md"): page, Path("docs/headline.md"): headline}

if __name__ == "__main__":
    for path, of in PAGES.items():
        path.write_text(of(read_results()), encoding="utf-8")
        print(path)
