"""Property tests of the contracts against a reference model, on an in-process EVM."""
