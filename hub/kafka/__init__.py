"""This room uses Kafka without faust: clients, spans of logs, the newest record of each key, and log followers."""
