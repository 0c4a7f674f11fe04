"""A fourth contract, for tests alone: everything that the package needs to know of it is here.

`docs/extending.md` walks through these files in the order in which one would write them.
"""
