"""Benchmarks that train: what each one is, how it is run, what came of it."""
