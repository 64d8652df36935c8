"""This room turns messages into bytes and back: contracts, canonical form, signatures, and checks of what came."""
