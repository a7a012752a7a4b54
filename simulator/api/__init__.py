"""The HTTP routes of Vibes' platform that the simulator answers."""
