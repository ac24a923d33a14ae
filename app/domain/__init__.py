"""What is true and what is shown: pure, no I/O, no clock (`at` is an argument)."""
