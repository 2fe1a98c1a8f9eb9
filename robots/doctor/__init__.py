"""Examine a robot's folder: what would go wrong later is said now, with what to do about it."""
