"""OCPI: the presented status, pushed to eMSPs that offer the receiver interface of the Locations module."""
