"""Trouble for real processes: partners that misbehave, clients that go on, and what must hold all the same."""
