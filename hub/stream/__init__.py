"""This room is the stream processor, and the only place that imports faust: one app, its stages, and one runner."""
