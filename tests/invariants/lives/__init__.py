"""Random lives of the whole system, by what happens in them."""
