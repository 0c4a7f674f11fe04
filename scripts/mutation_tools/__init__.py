"""The parts of `scripts/mutants.py`: making mutants, compiling, testing and reporting them."""
