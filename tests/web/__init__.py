"""The API over a real run: hub, archive, web, and people of every role."""
