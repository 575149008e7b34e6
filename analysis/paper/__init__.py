"""The paper's own numbers: are they possible, do they agree, and which data could have given them?

``python -m analysis reproduce --out DIR`` runs all of it (see ``reproduce.py``).
"""
