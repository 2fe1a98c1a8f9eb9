"""Families of small tasks whose best returns are known: one file, one family."""
