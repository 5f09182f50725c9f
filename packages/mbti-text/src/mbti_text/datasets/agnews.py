"""AG's News: four topics."""

from __future__ import annotations

from mbti_core.contracts.dataset import Card, Download, Origin
from mbti_text.datasets.topic_csv import CITATION, TopicCsv
from mbti_text.sample import INPUT


class AgNews(TopicCsv):
    r"""News in four topics: title and first sentences.

    Looks below the data root for ``ag_news_csv/{train,test}.csv``; a ``classes.txt`` beside them has to name the same
    classes. Title and text are joined by a space. The texts are as published: a backslash stands where the article had
    a line break (``\n`` or ``\`` alone) or a dollar sign (``\$``), and ``#39;`` where it had an apostrophe.

    Shape: ``str``.
    Raises: DataUnavailableError, DataFormatError: With the file, and the line where one is at fault.
    Source: X. Zhang, J. Zhao, Y. LeCun, Character-level Convolutional Networks for Text Classification, NIPS 2015.
    """

    names = ("World", "Sports", "Business", "Sci/Tech")
    component = "text/agnews"
    place = "ag_news_csv"

    def card(self) -> Card:
        """Describe AG's News."""
        download = Download(
            "https://s3.amazonaws.com/fast-ai-nlp/ag_news_csv.tgz",
            "md5:b86f328f4dbd072486591cb7a5644dcd",
            11_784_419,
            strip="ag_news_csv",
        )
        return Card(
            classes=self.names,
            input=INPUT,
            licence="for research and other activities that are not commercial, as its publishers state",
            citation=CITATION,
            facts={},
            counts={"train": 120_000, "test": 7_600},
            origin=Origin(self.place, (download,)),
        )
