"""`vibes-pipeline dead-letters`: what could not be read or applied, to be looked at, replayed or discarded.

`filters` are the options that say which letters; `acting` runs a replay or a discard, `display` shows how far it is;
`views` print what was found.
"""
