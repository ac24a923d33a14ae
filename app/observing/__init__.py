"""What is measured, counted and read off, for whoever watches the service from outside."""
