"""DBpedia-14: fourteen kinds of things."""

from __future__ import annotations

from mbti_core.contracts.dataset import Card, Download, Origin
from mbti_text.datasets.topic_csv import CITATION, TopicCsv
from mbti_text.sample import INPUT


class Dbpedia(TopicCsv):
    """First paragraphs of encyclopedia articles in fourteen kinds of things.

    Looks below the data root for ``dbpedia_csv/{train,test}.csv``; a ``classes.txt`` beside them has to name the same
    classes. Title and text are joined by a space; an empty title is left out.

    Shape: ``str``.
    Raises: DataUnavailableError, DataFormatError: With the file, and the line where one is at fault.
    Source: X. Zhang, J. Zhao, Y. LeCun, Character-level Convolutional Networks for Text Classification, NIPS 2015.
    """

    names = (
        *("Company", "EducationalInstitution", "Artist", "Athlete", "OfficeHolder", "MeanOfTransportation", "Building"),
        *("NaturalPlace", "Village", "Animal", "Plant", "Album", "Film", "WrittenWork"),
    )
    component = "text/dbpedia"
    place = "dbpedia_csv"

    def card(self) -> Card:
        """Describe DBpedia-14."""
        download = Download(
            "https://s3.amazonaws.com/fast-ai-nlp/dbpedia_csv.tgz",
            "md5:239c7837b9e79db34486f3de6a00e38e",
            68_341_743,
            strip="dbpedia_csv",
        )
        return Card(
            classes=self.names,
            input=INPUT,
            licence="CC BY-SA 3.0 and GFDL",
            citation=f"{CITATION}; Lehmann et al., DBpedia, Semantic Web 6, 2015",
            facts={},
            counts={"train": 560_000, "test": 70_000},
            origin=Origin(self.place, (download,)),
        )
