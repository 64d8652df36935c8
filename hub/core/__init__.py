"""This room holds what the hub knows and decides, as values in and values out: no I/O, no clock, no framework."""
