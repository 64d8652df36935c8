"""The dashboard in a real browser, against a small simulator of the API that has the real shapes."""
