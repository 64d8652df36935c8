"""The unbind hub: number releases in, signed acknowledgements back, coverage gaps in the open."""
