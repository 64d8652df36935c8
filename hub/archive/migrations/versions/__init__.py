"""Each revision is one file, which is never edited once it is released."""
