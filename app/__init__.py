"""EVSE Status Scheduler: request → stored → boundary → presented status → translated → delivered."""
