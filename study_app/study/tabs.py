"""One tab at a time: which of a participant's open tabs goes on (`Store.tabs`).

Two tabs on one link would overwrite each other's answers. The tab that holds the study is in the store; another one
takes over when the participant says so there, or when the first is closed. What a tab is called and whether it is
still open only the app's process knows, so both are told by the caller.
"""

from __future__ import annotations

from collections.abc import Callable

from study_app.study.database import Database


class Tabs:
    def __init__(self, database: Database) -> None:
        self._database = database

    def holder(self, participant: str) -> str | None:
        """The tab that holds the study; None before there was one."""
        with self._database.read() as conn:
            row = conn.execute("SELECT tab FROM active_tab WHERE participant = ?", (participant,)).fetchone()
        return None if row is None else str(row["tab"])

    def hold(self, participant: str, tab: str, is_open: Callable[[str], bool]) -> bool:
        """Whether ``tab`` may go on: it holds the study, or takes it because no open tab does. Writes only then."""
        holder = self.holder(participant)
        if holder != tab:
            if holder is not None and is_open(holder):
                return False
            self.take(participant, tab)
        return True

    def take(self, participant: str, tab: str) -> None:
        """From now on ``tab`` goes on, whichever did before. Nothing is stored of who withdrew."""
        with self._database.write() as conn:
            conn.execute(
                "INSERT INTO active_tab SELECT participant, ?2, ?3 FROM participant "
                "WHERE participant = ?1 AND status <> 'withdrawn' "
                "ON CONFLICT DO UPDATE SET tab = excluded.tab, taken_at = excluded.taken_at",
                (participant, tab, self._database.now()),
            )
