"""The callback bodies of Vibes: their types, their models, and how they are read."""
