"""`kill -9` at any await point: processes that work for real and kill themselves between two steps of their loop."""
