"""Runnable comparisons; each writes one file under `benchmarks/results/`."""
