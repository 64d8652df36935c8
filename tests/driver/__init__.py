"""Drivers: they carry out what the core decides with dictionaries in place of topics, and a clock moved by hand."""
