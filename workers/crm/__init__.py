"""What the CRM wants Vibes to know of its persons, as changes add up.

Pure: `canonical` (one text for one value), `fold` (which change of a field wins), `row` (a record as the database has
it). I/O: `store`.
"""
