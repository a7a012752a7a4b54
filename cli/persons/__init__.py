"""`vibes-pipeline persons`: what the CRM wants, what Vibes has, and bringing the two together."""
