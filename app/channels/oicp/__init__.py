"""Hubject: each presented status pushed as OICP 2.3 eRoamingPushEvseStatus. What is sent when: see README.md here."""
