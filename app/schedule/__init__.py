"""The clockwork: alarm (when to look), reconcile (boundary → presented status), dispatch (presented → partners)."""
