"""Write `docs/benchmarks.md` from the results files: `python -m benchmarks.page`."""

from __future__ import annotations

from pathlib import Path

from sdk.results import markdown, read_results

PAGE = Path("docs/benchmarks.md")

if __name__ == "__main__":
    PAGE.write_text(markdown(read_results()), encoding="utf-8")
    print(PAGE)
