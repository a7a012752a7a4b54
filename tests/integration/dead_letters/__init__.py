"""Specifications of dead letters: replaying and discarding them, and the poison storm."""
