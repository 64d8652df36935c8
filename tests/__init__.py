"""The tests: `unit` without parts beside, `broker` with a real Kafka, `oracle` for expected values."""
