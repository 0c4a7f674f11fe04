"""What the contracts do, as rows: the pages are written from them, and tests try every cell."""
