"""Anybody's hands for any study: what the study asks is answered on the page, by the mouse or by the keyboard alone.

Where the participant is, the store says; what stands on the page, the study and the app's texts in the page's language.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

from study_app import texts
from study_app.study import flow
from study_app.study.definition import Item, Likert, Single
from study_app.study.definition_items import Multiple, Number
from study_app.study.visit import Visit, current
from tests.browser import walk
from tests.browser.scripted_app import ScriptedApp

OFFERED = 5
MOST_TABS = 120
COMMENT = "Clear."


class Mouse:
    def press(self, target: Locator) -> None:
        target.click(timeout=walk.SLOW_MS)

    def write(self, target: Locator, text: str) -> None:
        target.fill(text, timeout=walk.SLOW_MS)
        target.press("Tab")


class Keyboard:
    """Tab, arrows and Space only: no click, and no focus but by the keys."""

    def press(self, target: Locator) -> None:
        self._reach(target)
        target.page.keyboard.press("Space")

    def write(self, target: Locator, text: str) -> None:
        self._reach(target)
        target.page.keyboard.type(text)
        target.page.keyboard.press("Tab")

    def _reach(self, target: Locator) -> None:
        expect(target).to_be_visible(timeout=walk.SLOW_MS)
        page = target.page
        for _ in range(MOST_TABS):
            if _focused(target):
                break
            # inside the group of the target the arrows lead on, as they do for whoever uses a screen reader
            page.keyboard.press("ArrowRight" if _in_same_group(target) else "Tab")
        assert _focused(target), f"{target} was not reached in {MOST_TABS} keys"
        assert _outlined(target), f"{target} has the focus, and nothing shows it"


def _focused(target: Locator) -> bool:
    return bool(target.evaluate("e => e === document.activeElement"))


def _in_same_group(target: Locator) -> bool:
    return bool(
        target.evaluate("e => { const g = e.closest('[role=radiogroup]'); return g?.contains(document.activeElement) }")
    )


def _outlined(target: Locator) -> bool:
    """Whether the focus is to be seen: an outline, a shadow or another border, here or on what surrounds it."""
    shown = """e => { for (let i = 0; e && i < 5; i++, e = e.parentElement) { const s = getComputedStyle(e);
      if (s.boxShadow !== 'none' || (s.outlineStyle !== 'none' && s.outlineWidth !== '0px')) return true }
      const box = document.activeElement.closest('[data-baseweb], label');
      return !!box && [...box.querySelectorAll('*')].some(c => getComputedStyle(c).boxShadow !== 'none') }"""
    return bool(target.evaluate(shown))


class Walk:
    """One participant in one study, from the link to the code. ``look`` is called on the first page of each kind; with
    ``every_page`` on every page, and again when all that opens on it is open."""

    def __init__(
        self,
        app: ScriptedApp,
        page: Page,
        language: str,
        hands: Mouse | Keyboard,
        look: Callable[[Page, str], None],
        every_page: bool = False,
    ) -> None:
        self.app, self.page, self.hands, self.look = app, page, hands, look
        self.every_page = every_page
        self.study = app.study.in_language(language)
        self.texts = texts.of(language)
        self.shown: set[str] = set()
        self.participant = ""

    def through(self) -> str:
        """Take every step; returns the participant's number when the code is on the page."""
        link, state = self.app.arrive()
        self.participant = state.participant
        self.page.goto(link)
        while True:
            now = current(self.app.store, self.participant)
            if isinstance(now.step, flow.Finished):
                break
            self._step(now)
            self._until(lambda key=now.step.key: current(self.app.store, self.participant).step.key != key)
        expect(self.page.get_by_text(self.study.completion_codes.completed)).to_be_visible(timeout=walk.SLOW_MS)
        self._look("finished")
        return self.participant

    def _step(self, now: Visit) -> None:
        kind = now.step.key if self.every_page else now.step.key.partition(":")[0]
        match now.step:
            case flow.Consent():
                agree = self._button("consent.agree")
                self._there(agree)
                self._look(kind)
                for box in self.page.get_by_role("checkbox").all():
                    self._settled(box)
                self.hands.press(agree)
            case flow.Photo() if self.study.photo.assigned:
                pass  # nothing to choose: the next page comes by itself
            case flow.Photo():
                offered = self._button("photo.take_nth", number=OFFERED)
                self._there(offered)
                self._look(kind)
                self.hands.press(offered)
                self._there(self._button("photo.choose_another"))
                walk.idle(self.page)
                self.hands.press(self._button("page.continue"))
            case flow.Conversation():
                rate = self._button("conversation.rate")
                self._there(rate)
                walk.idle(self.page)
                self._look(f"{kind}_{now.state.sequence[self.study.place_of(now.step.period) - 1]}")
                self.hands.press(rate)
            case flow.Comments():
                field = self.page.get_by_role("textbox")
                self._there(field)
                self._look(kind)
                self.hands.write(field, COMMENT)
                walk.idle(self.page)
                self.hands.press(self._button("questions.finish"))
            case _:
                self._answer_all(now, kind)

    def _answer_all(self, now: Visit, kind: str) -> None:
        items = flow.asked(self.study, now.step)
        self._there(self._control(items[-1]))
        walk.idle(self.page)
        self._look(kind)
        period = now.step.period if isinstance(now.step, flow.Rating) else None
        for item in items:
            self._answer(item)
            self._until(lambda key=(item.id, period): key in self.app.store.state(self.participant).answers)
            walk.idle(self.page)
        self.hands.press(self._button("page.continue"))

    def _answer(self, item: Item) -> None:
        """The last but one point of a scale, the first option, the number in the middle."""
        match item:
            case Likert():
                point = str(self.study.scale_of(item).points[-2])
                self.hands.press(self._group(item).get_by_role("radio", name=point, exact=True))
            case Single():
                self.hands.press(self._group(item).get_by_role("radio", name=item.options[0].label, exact=True))
            case Multiple():
                self.hands.press(self.page.get_by_role("button", name=item.options[0].label, exact=True))
            case Number():
                self.hands.write(self._control(item), str(round((item.minimum + item.maximum) / 2)))
            case _:
                raise AssertionError(f"no hands for an item of kind {item.kind}")

    def _control(self, item: Item) -> Locator:
        match item:
            case Number():
                return self.page.get_by_role("spinbutton", name=re.compile(re.escape(item.wording)))
            case Multiple():
                return self.page.get_by_role("button", name=item.options[0].label, exact=True)
        return self._group(item)

    def _group(self, item: Item) -> Locator:
        return self.page.get_by_role("radiogroup", name=re.compile(re.escape(item.wording)))

    def _button(self, key: str, **values: int) -> Locator:
        return self.page.get_by_role("button", name=self.texts.say(key, **values), exact=True)

    def _there(self, what: Locator) -> None:
        """To be seen, and once: for an instant Streamlit shows the page before beside the new one."""
        expect(what).to_have_count(1, timeout=walk.SLOW_MS)
        expect(what).to_be_visible(timeout=walk.SLOW_MS)

    def _settled(self, box: Locator) -> None:
        """A checkbox is hidden under its drawing: the mouse hits the label, the keyboard the box itself."""
        if isinstance(self.hands, Keyboard):
            self.hands.press(box)
        else:
            box.locator("xpath=ancestor::label").click()
        walk.idle(self.page)

    def _look(self, kind: str) -> None:
        if kind not in self.shown:
            walk.idle(self.page)
            self.shown.add(kind)
            self.look(self.page, kind)
            self._show_pictures(kind)
            if self.every_page:
                self._open_all(kind)

    def _open_all(self, kind: str) -> None:
        """Sheets, larger pictures, earlier talk: whatever the page keeps folded."""
        folded = self.page.locator("[data-testid=stExpander] details:not([open]) > summary")
        if not folded.count():
            return
        while folded.count():
            self.hands.press(folded.first)
            walk.idle(self.page)
        self.look(self.page, f"{kind}_open")

    def _show_pictures(self, kind: str) -> None:
        """By the switch for all, which then holds for the rest of the study."""
        switch = self.page.get_by_label(self.texts.say("shield.show_all"), exact=True)
        if switch.count() and not switch.is_checked():
            assert self.page.get_by_test_id("stImage").count() == 0, "covered pictures are not on the page"
            self._settled(switch)
            expect(self.page.get_by_test_id("stImage").first).to_be_visible(timeout=walk.SLOW_MS)
            self.look(self.page, f"{kind}_uncovered")

    def _until(self, done: Callable[[], bool]) -> None:
        """The page works in this thread's own pauses, so the wait is the page's."""
        until = time.monotonic() + walk.SLOW_MS / 1000
        while not done():
            assert time.monotonic() < until, f"nothing came of what was pressed; the page says {self._says()}"
            self.page.wait_for_timeout(100)

    def _says(self) -> str:
        return " / ".join(self.page.get_by_role("alert").all_inner_texts()) or "nothing"
