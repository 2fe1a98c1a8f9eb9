"""Networks: step policies with explicit carry, normaliser, heads."""
