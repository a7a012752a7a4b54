"""What sends callbacks: wrk for closed loops, a client of our own for open ones."""
