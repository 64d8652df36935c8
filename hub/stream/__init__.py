"""The stream processor: the only place that imports faust. One app, two stages, one runner."""
