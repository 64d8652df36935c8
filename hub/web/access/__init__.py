"""Who asks, what that role may, how often, and what of an answer it sees."""
