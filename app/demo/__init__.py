"""The product in one command: a service, three partners that listen and judge, and a story to follow."""
