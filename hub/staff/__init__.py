"""What the hub's own people do: the roster, held events, and looking at what the logs say."""
