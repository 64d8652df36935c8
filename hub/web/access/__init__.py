"""This package decides who asks, what that role may ask, how often, and what it sees of an answer."""
