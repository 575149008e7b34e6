"""Everything a researcher takes home, as one ZIP: `write_export`; the database alone: `write_database`.

snapshot.py     a copy of the database without secrets and without those who withdrew
tables.py       the views, computed once        counts.py   their rows, counted from what is stored
variables.py    what a definition asks: the one module that knows `Study`
columns.py      what the columns mean           codebook.py every variable of every file
csv_files.py    CSV that runs nothing           parquet.py  exact texts and types
wide.py spss.py one row a participant           psychds.py public.py  what may be published
photos.py       pictures, when asked for        readme.py   what, when, how many, what is missing and why
archive.py      the ZIP, checksums, and all rows counted again
"""

from __future__ import annotations

from study_app.study.export.archive import Exported, write_export
from study_app.study.export.errors import ExportError
from study_app.study.export.snapshot import write_database

__all__ = ["ExportError", "Exported", "write_database", "write_export"]
