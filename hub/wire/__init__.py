"""Messages as bytes and as values: the contracts, their canonical form, signatures, and checking what came."""
