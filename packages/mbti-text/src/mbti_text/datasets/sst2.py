"""SST-2 in the layout of GLUE: phrases and sentences, or sentences only."""

from __future__ import annotations

from pathlib import Path

from mbti_core.contracts.dataset import Card, DatasetSource, Download, Origin, Part, Records
from mbti_core.data.reading import listed, not_there, not_whole
from mbti_text.datasets.row_files import Layout, TableFile, gathered
from mbti_text.sample import INPUT, Text

_ID = "text/sst2"
_FILES: dict[Part, str] = {"train": "train.tsv", "test": "dev.tsv"}
_LAYOUT = Layout(
    "\t",
    quotes=False,
    hint="SST-2 has the header 'sentence<tab>label' and one tab a line. GLUE's test.tsv has no labels: it is not used.",
)
_ORIGIN = Origin(
    "sst2",
    (
        Download(
            "https://dl.fbaipublicfiles.com/glue/data/SST-2.zip",
            "sha256:d67e16fb55739c1b32cdce9877596db1c127dc322d93c082281f64057c16deaa",
            7_439_277,
            strip="SST-2",
        ),
    ),
)
_FIXTURE = {
    "train.tsv": (
        ("a stirring , funny and moving film ", 1),
        ("no movement , no laughs , not much of anything ", 0),
        ('it is called " a gift " and is one ', 1),
        ("hide new secretions from the parental units ", 0),
        ("rich veins of humor ", 1),
        ("a gob of drivel so sickly sweet ", 0),
        ("crème brûlée for the eyes ", 1),
        ("flat , dull , and 20 minutes too long ", 0),
    ),
    "dev.tsv": (
        ("one long string of cliches . ", 0),
        ("a warm and winning debut . ", 1),
        ("you will nap . ", 0),
        ("it works . ", 1),
    ),
}


class Sst2(DatasetSource[Text]):
    """Sentences from film reviews, negative or positive; the dev part is the test part.

    Looks below the data root for ``sst2/train.tsv`` and ``sst2/dev.tsv``: GLUE's copy, whose 67,349 training rows are
    sentences and phrases of them, or one with sentences only (6,920 rows). Which one it is makes a difference to an
    attack at the same ratio; the files' digest is part of every key. The dev part has the same 872 sentences in both.
    Quotes are characters like any other, and the blank that ends a phrase is dropped.

    Shape: ``str``.
    Raises: DataUnavailableError, DataFormatError: With the file, and the line where one is at fault.
    Source: R. Socher et al., Recursive Deep Models for Semantic Compositionality Over a Sentiment Treebank, EMNLP 2013;
        A. Wang et al., GLUE, ICLR 2019.
    Deviates: tested on the dev part, since the labels of the test part are not public.
    """

    def card(self) -> Card:
        """Describe SST-2; the counts are those of GLUE's copy."""
        return Card(
            classes=("negative", "positive"),
            input=INPUT,
            licence="no licence stated by its publishers",
            citation="Socher et al., Recursive Deep Models for Semantic Compositionality Over a Sentiment Treebank, "
            "EMNLP 2013; Wang et al., GLUE, ICLR 2019",
            facts={},
            counts={"train": 67_349, "test": 872},
            origin=_ORIGIN,
        )

    def files(self, root: Path) -> list[Path]:
        """List both files."""
        base = root / (self.folder or "sst2")
        found = listed(base)
        missing = [name for name in _FILES.values() if name not in found]
        if len(missing) == len(_FILES):
            raise not_there(_ID, base, " and ".join(missing))
        if missing:
            raise not_whole(_ID, base, missing)
        return [base / name for name in _FILES.values()]

    def load(self, part: Part, root: Path) -> Records[Text] | None:
        """Open a part; the official dev part is the test part, so there is no validation part."""
        if part == "validation":
            return None
        file = self.files(root)[list(_FILES).index(part)]
        return gathered([TableFile(file, _LAYOUT, ("sentence", "label"))]).records(("0", "1"), _LAYOUT.hint)

    def fixture(self, root: Path) -> None:
        """Write both parts, with the blanks and quotes of the original, and a test part without labels."""
        folder = root / (self.folder or "sst2")
        folder.mkdir(parents=True)
        for name, rows in _FIXTURE.items():
            lines = [f"{sentence}\t{label}\n" for sentence, label in rows]
            (folder / name).write_text("sentence\tlabel\n" + "".join(lines), encoding="utf-8")
        (folder / "test.tsv").write_text("index\tsentence\n0\tuneasy mishmash of styles .\n", encoding="utf-8")
