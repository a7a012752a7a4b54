"""The `vibes-pipeline` command: composes the parts."""
