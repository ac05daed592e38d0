"""Speed as a ratio against a named rival in the same run; each leg in a process of its own."""
