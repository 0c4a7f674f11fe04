"""Branch coverage of the contracts: markers in the source, and call traces that show them."""
