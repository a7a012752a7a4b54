"""What data looks like: callback bodies, broker messages, topology, person shapes, errors. No I/O."""
