"""How the pipeline is deployed: containers, and real services without containers (`local`)."""
