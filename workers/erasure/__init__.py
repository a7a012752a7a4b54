"""Erase a person: at Vibes, in every table here, and for good.

`search` (who is it) -> `nullification` (at Vibes) -> `state` (current state, and tombstones) -> `received` (log, dead
letters, calls) -> `request` (the record of it all). `run` puts them in order; `tombstones` keeps erased persons from
coming back when something late about them is applied.
"""
