"""A seeded story of one company: operations on its MobileDB, and the events that Vibes would send about them."""
