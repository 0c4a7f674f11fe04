"""What the package knows of the contracts: their kinds, their verbs, their code, how to call them.

`registry` lists the kinds; each has a file that says everything about it. Nothing here talks to a
node.
"""
