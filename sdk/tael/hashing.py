"""Keccak-256 of bytes."""

from __future__ import annotations

# eth-hash itself takes pycryptodome: 9 us for the terms of a payment, of which this takes 2, where
# there are wheels of it, which is on Linux.
try:
    from eth_hash.backends.pysha3 import keccak256 as keccak
except ImportError:  # pragma: no cover
    from eth_hash.backends.pycryptodome import keccak256 as keccak

__all__ = ["keccak"]
