"""The login check: is this number in new hands, and what to do about it."""
