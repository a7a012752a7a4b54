"""What the pipeline can do on this machine: `make bench`, or `python -m benchmarks`."""
