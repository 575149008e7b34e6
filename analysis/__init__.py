"""Rows -> numbers -> pictures: the study's views in, Table 3, Table 5, Figure 9 and the tests out.

Knows the database's views (or a CSV with the same columns) and nothing of the app or the pipeline.
"""
