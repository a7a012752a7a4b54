"""What `make bench-report` makes of a run: pictures, and the generated parts of docs/performance.md."""
