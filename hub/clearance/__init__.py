"""Where every case stands with every platform, and clearance decided on it."""
