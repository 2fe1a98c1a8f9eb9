"""Narrower worlds from measurements: what can be identified, the posterior, and the distribution it is written as."""
