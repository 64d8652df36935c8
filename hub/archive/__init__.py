"""History in PostgreSQL: a follower of the logs that keeps every message, and answers what happened when."""
