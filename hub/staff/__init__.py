"""This room is what the hub's own people use: the roster, held events, and reading what the logs say."""
