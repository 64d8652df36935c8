"""Other code that works out what the hub should say: it shares nothing with the hub."""
