"""Kafka without faust: clients, spans of logs, newest records of a key, and what follows a log for ever."""
