"""Numbers on the embedded models, from seeds that no training used."""
