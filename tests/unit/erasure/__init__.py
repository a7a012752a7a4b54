"""The pure parts of erasure."""
