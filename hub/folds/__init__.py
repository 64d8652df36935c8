"""Folds of the logs that several programs share: cases, held events, the roster, reports and acknowledgements."""
