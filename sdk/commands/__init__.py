"""Commands of `simshift` by subject; `sdk.cli` puts them together."""
