"""Logs of real machines: read through a map of columns, examined, split, and told what they can tell."""
