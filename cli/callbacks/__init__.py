"""`vibes-pipeline callbacks`: which events Vibes sends to which URL."""
