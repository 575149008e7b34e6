"""What only the browser can change: language and direction of the page, and the words that Streamlit itself puts on it.

Streamlit has no languages: "Upload", "Press Enter to apply" and names that only a screen reader speaks are written
in its frontend. A script replaces them as they appear, from any language that the app speaks into the chosen one, so
that switching back works too. What the study, a participant or a model wrote is left alone.

A slider of Streamlit's begins at the right where the browser's own language does, whatever the page's is, and its line
and numbers at the left all the same. The page is told which it is, and `look.CSS` turns them and the ends' words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache

import streamlit as st

from study_app import texts

_ANY = "{}"
_FROM_THE_RIGHT = {
    "ar",
    "arc",
    "ckb",
    "dv",
    "fa",
    "he",
    "iw",
    "ji",
    "ks",
    "nqo",
    "prs",
    "ps",
    "sd",
    "syr",
    "ug",
    "ur",
    "yi",
}
"""Languages written from right to left, and the scripts that are, for tags that name one (az-Arab)."""
_SCRIPTS_FROM_THE_RIGHT = {"adlm", "arab", "hebr", "mand", "nkoo", "rohg", "samr", "syrc", "thaa"}
_LAYOUT = """<script>
(() => {
  const page = document.documentElement;
  page.lang = %(language)s;
  page.dir = %(direction)s;
  const script = new Intl.Locale(navigator.language).maximize().script.toLowerCase();
  page.dataset.sliders = %(scripts)s.includes(script) ? "rtl" : "ltr";
})();
</script>"""
_WORDS = """<script>
(() => {
  const rules = %(rules)s.map(([from, to]) => [new RegExp(from), to]);
  const attributes = ["aria-label", "title", "placeholder"];
  const written = "[data-testid=stMarkdownContainer], [data-testid=stHtml], [role=option], textarea, script, style";
  const streamlits = "[data-testid=stFileUploaderDropzone]";  // its "Upload" is Markdown, yet nobody's but Streamlit's
  const said = (text) => {
    const rule = rules.find(([from]) => from.test(text));
    return rule ? text.replace(rule[0], rule[1]) : text;
  };
  const put = (text, change) => { const to = said(text); if (to !== text) change(to); };
  const textNode = (node) => {
    const around = node.parentElement;
    if (around?.closest(streamlits) || !around?.closest(written)) put(node.data, (to) => { node.data = to; });
  };
  const element = (node) => {
    for (const name of attributes)
      if (node.hasAttribute(name)) put(node.getAttribute(name), (to) => node.setAttribute(name, to));
  };
  const all = (root) => {
    if (root.nodeType === Node.TEXT_NODE) return textNode(root);
    if (root.nodeType !== Node.ELEMENT_NODE) return;
    element(root);
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT);
    while (walker.nextNode())
      (walker.currentNode.nodeType === Node.TEXT_NODE ? textNode : element)(walker.currentNode);
  };
  window.studyWords?.disconnect();
  window.studyWords = new MutationObserver((changes) => {
    for (const change of changes) {
      if (change.type === "attributes") element(change.target);
      else if (change.type === "characterData") textNode(change.target);
      else change.addedNodes.forEach(all);
    }
  });
  all(document.body);
  window.studyWords.observe(document.body,
    { subtree: true, childList: true, characterData: true, attributeFilter: attributes });
})();
</script>"""


def lay_out(language: str) -> None:
    """Set the page's `lang` and `dir` to ``language``, and `data-sliders` to the direction of Streamlit's sliders."""
    scripts = sorted(_SCRIPTS_FROM_THE_RIGHT)
    values = {"language": language, "direction": direction(language), "scripts": scripts}
    st.html(_filled(_LAYOUT, values), unsafe_allow_javascript=True)


def replace_words(language: str) -> None:
    """Say what Streamlit itself puts on the page in ``language``, from now on."""
    st.html(_words(language), unsafe_allow_javascript=True)


def direction(language: str) -> str:
    """rtl for a tag whose script, or else whose language, is written from right to left; ltr for any other."""
    first, *rest = language.lower().split("-")
    scripts = [part for part in rest if len(part) == 4 and part.isalpha()]
    return "rtl" if (scripts[0] in _SCRIPTS_FROM_THE_RIGHT if scripts else first in _FROM_THE_RIGHT) else "ltr"


@lru_cache
def _words(language: str) -> str:
    return _filled(_WORDS, {"rules": rules(language)})


def _filled(script: str, values: Mapping[str, object]) -> str:
    return script % {name: _json(value) for name, value in values.items()}


def rules(language: str) -> list[tuple[str, str]]:
    """(regular expression, what to put in its place) for each of Streamlit's words in each other language."""
    spoken = texts.of(language)
    others = [texts.of(each) for each in texts.languages() if each != spoken.language]
    pairs = [(other.frontend[key], said) for other in others for key, said in spoken.frontend.items()]
    return [(_pattern(there), here.replace(_ANY, "$1")) for there, here in pairs if there != here]


def _pattern(text: str) -> str:
    return f"^{'(.+)'.join(map(re.escape, text.split(_ANY)))}$"


def _json(value: object) -> str:
    """JSON that cannot end the script it stands in."""
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")
