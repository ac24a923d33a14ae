"""Requests in: a controller for each resource, one table of problems, one guard."""
