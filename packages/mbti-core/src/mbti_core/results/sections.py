"""What plugins and the runner add to a report."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Section:
    """A part of the HTML report.

    Attributes:
        title: Its heading, plain text.
        html: Its content, put in as it is: escape what comes from data. Nothing outside the page is loaded and no
            script runs; pictures and sound go in as ``data:`` addresses. ``<div class="gallery">`` lays figures out in
            a grid.
    """

    title: str
    html: str
