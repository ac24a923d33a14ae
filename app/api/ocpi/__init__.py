"""Where OCPI partners ask us: the sender interface of the Locations module, and the versions before it."""
