"""Entry points for development and operation: thin, typed, on top of the SDK."""
