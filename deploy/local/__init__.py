"""The services the pipeline needs and the pipeline itself, on this machine, without Docker."""
