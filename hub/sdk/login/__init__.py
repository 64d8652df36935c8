"""This package is the login check: it says whether a number has a new owner, and what to do about it."""
