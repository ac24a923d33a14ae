"""How fast the service is, beside what this machine can do at best and beside others: `make bench`."""
