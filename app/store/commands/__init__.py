"""The changes that can be asked for, each a command that the writer decides and commits."""
