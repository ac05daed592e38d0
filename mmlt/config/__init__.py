"""A config from its file to a checked, hashed dict."""
