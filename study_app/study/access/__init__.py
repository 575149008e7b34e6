"""Who may look at a study, who did, and the door they come through: one SQLite file beside the study's database.

It is a file of its own (study.db -> study.db.researchers), so that an export, a copy or the deletion of a study never
takes along, or takes away, who has seen it.
"""
