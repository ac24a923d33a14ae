"""Others that do the same, or nearly: what we are measured beside. None of it is part of the product."""
