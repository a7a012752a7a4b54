"""Abuse of ingest: hostile requests, slow clients and crowds, with good callers beside them."""
