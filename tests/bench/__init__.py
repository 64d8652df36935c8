"""Benchmarks: `make bench`. They print figures and write `bench-results.json`; no figure fails anything."""
