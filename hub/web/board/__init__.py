"""The read model of coverage, and the pages made of it."""
