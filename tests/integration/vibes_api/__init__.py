"""vibes_api against real HTTP servers on loopback."""
