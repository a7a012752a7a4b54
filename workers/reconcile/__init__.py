"""Compare the mirror with Vibes, person by person, and repair what callbacks that were lost have left behind.

Pure: `compare`, `stays`, `crm` (what differs, and what to do about it) on `here` and `answer` (what both sides have).
I/O: `vibes` reads an answer, `mirror` what is here, `repair` writes, `targets` says who is next, `runs` keeps how far a
run is, and `run` puts them together.
"""
