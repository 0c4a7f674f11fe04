"""A private key that the tests sign with, and what looks for it afterwards. S22, I-34.

`key` has the key and the forms it could travel in. `places` looks for it in files and databases.
`plugin` looks at everything that a run of pytest logs, prints, raises and leaves behind, and fails
the run if the key is in any of it.
"""
