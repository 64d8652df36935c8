"""An operator's side: sending events that cannot be lost, from code or from files."""
