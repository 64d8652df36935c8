"""The archive keeps history in PostgreSQL: it follows the logs, keeps every message, and answers what happened when."""
