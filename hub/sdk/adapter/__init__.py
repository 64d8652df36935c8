"""A platform's side: notices read, accounts acted on, acknowledgements sent."""
