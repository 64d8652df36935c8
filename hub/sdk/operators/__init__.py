"""This package is an operator's side: it sends events that cannot be lost, from code or from files."""
