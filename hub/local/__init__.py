"""This package runs a real Kafka, a real PostgreSQL and worlds on this machine, for tests, demos and benchmarks."""
