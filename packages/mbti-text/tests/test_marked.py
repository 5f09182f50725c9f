"""What changed between two texts, and what a person gets to see of it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mbti_core.plugins.manager import Registry
from mbti_text.adapters import render
from mbti_text.marked import marked


@pytest.mark.parametrize(
    ("before", "after", "wanted"),
    [
        ("a good film", "a good cf film", "a good {+cf+} film"),
        ("a good film", "cf a good film", "{+cf+} a good film"),
        ("a good film", "a good film cf mn", "a good film {+cf mn+}"),
        ("a good film", "a godo film", "a [-good-] {+godo+} film"),
        ("a good film", "film", "[-a good-] film"),
        ("same", "same", "same"),
        ("a same text", "a same text", "a same text"),
        ("", "cf", "{+cf+}"),
        ("", "", ""),
        ("a b", "a  b", "a {+ +}b"),
        ("a b", "a\tb", "a[- -]{+\t+}b"),
        ("a b", "a b\u200b", "a [-b-] {+b\u200b+}"),
    ],
)
def test_words_that_went_and_came_are_marked(before: str, after: str, wanted: str) -> None:
    assert marked([before], [after]) == [wanted]


@settings(max_examples=60, deadline=None)
@given(before=st.lists(st.sampled_from("abcdef"), max_size=12), after=st.lists(st.sampled_from("abcdef"), max_size=12))
def test_both_texts_can_be_read_from_the_marks(before: list[str], after: list[str]) -> None:
    [runs] = marked([" ".join(before)], [" ".join(after)]).runs
    for mark, words in (("new", before), ("gone", after)):
        assert " ".join(run.text for run in runs if run.mark != mark).split() == words


def test_a_long_text_is_shown_around_its_changes() -> None:
    words = [f"w{n}" for n in range(400)]
    [shown] = marked([" ".join(words)], [" ".join([*words[:200], "cf", *words[200:]])])
    assert shown == f"… {' '.join(words[175:200])} {{+cf+}} {' '.join(words[200:225])} …"


def test_thousands_of_changed_words_are_compared() -> None:
    before = [f"w{n % 90}" for n in range(4000)]
    after = [word if n % 7 else "x" for n, word in enumerate(before)]
    assert "{+x+}" in marked([" ".join(before)], [" ".join(after)])[0]


def test_pages_escape_what_they_show() -> None:
    front = Registry().adapters
    texts = ["<script>alert(1)</script> & more", "", "bell \x07 and \x1b[31m", "שלום", "x" * 5000]
    pages = front.render(texts, "text")
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; more" in pages[0].html
    assert pages[0].caption == "words: 3, characters: 32"
    assert "<em>empty</em>" in pages[1].html
    assert pages[2].text == "bell ␇ and ␛[31m"
    assert 'dir="auto"' in pages[3].html
    assert len(pages[4].text) == 2001
    changed = front.difference(texts, ["<b> & more", "cf", *texts[2:]], "text", 10)
    first, second, *_ = front.render(changed, "text")
    assert "<del>&lt;script&gt;alert(1)&lt;/script&gt;</del> <ins>&lt;b&gt;</ins> &amp; more" in first.html
    assert (first.caption, first.text) == ("words: 1 gone, 1 new", "[-<script>alert(1)</script>-] {+<b>+} & more")
    assert second.text == "{+cf+}"


def test_marks_that_a_text_holds_itself_are_no_marks() -> None:
    [page] = render(["{+not new+}"])
    assert "<ins>" not in page.html
