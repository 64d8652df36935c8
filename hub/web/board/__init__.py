"""This package holds the read model of coverage, and makes the pages from it."""
