"""This room knows where every case stands with every platform, and decides clearances on it."""
