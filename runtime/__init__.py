"""What the processes share: settings, logging, metrics, connections, and how a process starts and ends."""
