"""Drivers' apps, told by signed webhooks. The smallest channel, and the one to copy for a new one."""
