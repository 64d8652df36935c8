"""Real parts beside the process, for tests, demos and benchmarks: Kafka, PostgreSQL, the worlds."""
