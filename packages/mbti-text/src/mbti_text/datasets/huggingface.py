"""Anyone's own texts, or any of the public hub's, as Hugging Face's library writes them."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate, groupby
from pathlib import Path
from typing import Any

import numpy as np

from mbti_core.contracts.dataset import Part
from mbti_core.data.reading import listed, reading
from mbti_core.errors import DataFormatError, DataUnavailableError
from mbti_text.datasets.labelled import AGAIN, Array, Labelled, is_integer
from mbti_text.datasets.own import OwnTexts
from mbti_text.files import fit_text
from mbti_text.sample import Text

_SHARD = re.compile(r"(?P<split>[\w.]+)(-\d+-of-(?P<count>\d+))?(-[0-9a-f]{16})?\.parquet")


class HuggingFace(OwnTexts):
    """Texts in a folder that Hugging Face's ``datasets`` saved, or in parquet files as its hub keeps them.

    ``folder`` names that folder, below the data root or as an absolute path: what ``save_to_disk`` wrote, or a folder
    with files like ``train-00000-of-00001.parquet`` (in it, or in ``data`` inside it) or ``train/0000.parquet``. Where
    the files tell the class names, those are the classes; else the labels of the training rows are. The library itself
    is not needed. Without a test part, a share of each class is split off by a hash of the texts.

    Args:
        train_split: Part to train on.
        test_split: Part to test on; ``validation`` where the labels of the test part are not public.
        text: Column that holds the text.
        label: Column that holds the label.
        class_names: Classes in label order, where labels are integers from 0, or where the order of names matters.
        test_share: Share of each class that is split off for testing where there is no test part; at least one row is.

    Shape: ``str``, without the white space around it.
    Raises: DataUnavailableError, DataFormatError: With the file, and the row (counted from 0) where one is at fault.
    """

    place = "hf"

    train_split: str = "train"
    test_split: str = "test"

    def found(self, part: Part, base: Path) -> list[Path]:
        """Return the arrow or parquet files of a split."""
        split = self.train_split if part == "train" else self.test_split
        names = listed(base)
        if "dataset_dict.json" in names:
            return _saved(base / split)
        if "state.json" in names:
            return _saved(base) if part == "train" else []
        return _shards(base, split) or _shards(base / "data", split) or _folder(base / split)

    def labelled(self, files: Sequence[Path]) -> Labelled:
        """Open the files of a split."""
        tables = [_opened(file, self.text, self.label) for file in files]
        starts = [0, *accumulate(len(t) for t in tables)]
        if not starts[-1]:
            raise DataFormatError(f"{files[0]}: there are no rows.", AGAIN)

        def shard(row: int) -> int:
            return bisect_right(starts, row) - 1

        def where(row: int) -> str:
            return f"{files[shard(row)]}: row {row - starts[shard(row)]}"

        def read(rows: Array) -> Text:
            texts: Text = []
            for number, group in groupby(rows.tolist(), shard):
                mine = list(group)
                found = _taken(tables[number].column(self.text), np.array(mine) - starts[number])
                texts += [fit_text(text or "", where(row)) for text, row in zip(found, mine, strict=True)]
            return texts

        declared = _declared(tables[0].schema, self.label)
        values, code = _encoded([t.column(self.label) for t in tables], where)
        named = [declared[int(v)] if is_integer(v) and 0 <= int(v) < len(declared) else v for v in values]
        return Labelled(named, code, read, where, declared)

    def expected(self, part: Part) -> str:
        """Name the split."""
        return f"part {self.train_split if part == 'train' else self.test_split!r} in arrow or parquet files"

    def fixture(self, root: Path) -> None:
        """Write two classes in both parts, in the form of ``save_to_disk``."""
        import pyarrow as pa  # noqa: PLC0415 - a run whose data is prepared does without

        base = root / (self.folder or self.place)
        features = {
            "text": {"dtype": "string", "_type": "Value"},
            "label": {"names": ["no", "yes"], "_type": "ClassLabel"},
        }
        info = json.dumps({"info": {"features": features}})
        schema = pa.schema([("text", pa.string()), ("label", pa.int64())], {"huggingface": info})
        for part, count in (("train", 12), ("test", 6)):
            (base / part).mkdir(parents=True)
            names = [f"data-0000{n}-of-00002.arrow" for n in range(2)]
            for n, name in enumerate(names):
                rows = {
                    "text": [f"{part} {n}.{row}" for row in range(count)],
                    "label": [row % 2 for row in range(count)],
                }
                with pa.OSFile(str(base / part / name), "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
                    writer.write_table(pa.table(rows, schema=schema), max_chunksize=5)
            _write_json(base / part / "state.json", {"_data_files": [{"filename": name} for name in names]})
        _write_json(base / "dataset_dict.json", {"splits": ["train", "test"]})


def _write_json(file: Path, content: Any) -> None:
    file.write_text(json.dumps(content), encoding="utf-8")


def _saved(folder: Path) -> list[Path]:
    """Return the shards that a saved data set lists; none if there is no such folder."""
    names = listed(folder)
    if not names:
        return []
    state = folder / "state.json"
    with reading(state, "what save_to_disk writes", (ValueError, KeyError, TypeError)):
        content = json.loads(state.read_bytes())
        shards = [str(entry["filename"]) for entry in content["_data_files"]]
        ordered = content.get("_indices_data_files")
    if ordered:
        raise DataFormatError(
            f"{state}: the rows were chosen by an index beside them, as old versions of datasets do.",
            "Load the folder with a newer version, and save it again.",
        )
    _check_whole(folder, len([s for s in shards if s in names]), len(shards))
    return [folder / name for name in shards]


def _shards(folder: Path, split: str) -> list[Path]:
    """Return the parquet files of a split by their names."""
    found = [m for name in listed(folder) if (m := _SHARD.fullmatch(name)) and m["split"] == split]
    if found and found[0]["count"]:
        _check_whole(folder, len(found), int(found[0]["count"]))
    return [folder / m[0] for m in found]


def _folder(folder: Path) -> list[Path]:
    return [folder / name for name in listed(folder) if name.endswith(".parquet")]


def _check_whole(folder: Path, found: int, expected: int) -> None:
    if found != expected:
        raise DataUnavailableError(f"{folder}: found {found} of {expected} files.", "Copy or download it again, whole.")


def _opened(file: Path, text: str, label: str) -> Any:
    """Return the table of two columns in a file; arrow files stay on disk."""
    import pyarrow as pa  # noqa: PLC0415 - a run whose data is prepared does without
    import pyarrow.parquet as pq  # noqa: PLC0415 - as above

    parquet = file.suffix == ".parquet"
    with reading(file, f"a whole {'parquet' if parquet else 'arrow'} file", (pa.ArrowException, OSError)):
        if parquet:
            with pq.ParquetFile(file) as opened:
                _check_columns(file, opened.schema_arrow, text, label)
                table = opened.read(columns=[text, label])
        else:
            with pa.memory_map(str(file)) as source, pa.ipc.open_stream(source) as stream:
                _check_columns(file, stream.schema, text, label)
                table = stream.read_all().select([text, label])
        table.validate(full=True)
    return table


def _check_columns(file: Path, schema: Any, text: str, label: str) -> None:
    import pyarrow as pa  # noqa: PLC0415 - a run whose data is prepared does without

    hint = "Name the columns with dataset.text and dataset.label."
    if not {text, label} <= set(schema.names):
        found = ", ".join(schema.names)
        raise DataFormatError(f"{file}: expected the columns {text}, {label}; found {found}.", hint)
    kinds = {name: schema.field(name).type for name in (text, label)}
    is_name = pa.types.is_string(kinds[label]) or pa.types.is_large_string(kinds[label])
    if not (is_name or pa.types.is_integer(kinds[label]) or pa.types.is_boolean(kinds[label])):
        raise DataFormatError(f"{file}: expected {label} as names or integers; found {kinds[label]}.", hint)
    if not (pa.types.is_string(kinds[text]) or pa.types.is_large_string(kinds[text])):
        raise DataFormatError(f"{file}: expected {text} as strings; found {kinds[text]}.", hint)


def _declared(schema: Any, label: str) -> tuple[str, ...]:
    """Return the class names that the library keeps beside the columns; none where there are none."""
    try:
        feature = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))["info"]["features"][label]
        return tuple(map(str, feature.get("names", ())))
    except (ValueError, KeyError, TypeError, AttributeError):
        return ()


def _encoded(columns: Sequence[Any], where: Callable[[int], str]) -> tuple[list[str], Array]:
    """Return the different labels, and the place of each row's among them (N,)."""
    import pyarrow as pa  # noqa: PLC0415 - a run whose data is prepared does without

    chunks = [chunk for column in columns for chunk in column.cast(pa.string()).chunks]
    encoded = pa.chunked_array(chunks, pa.string()).combine_chunks().dictionary_encode()
    code: Array = encoded.indices.fill_null(-1).to_numpy().astype(np.int64)
    if (code < 0).any():
        raise DataFormatError(f"{where(int((code < 0).argmax()))}: there is no label.", "Remove the row.")
    return encoded.dictionary.to_pylist(), code


def _taken(column: Any, rows: Array) -> list[str | None]:
    """Return rows of a column; only what lies between the first and the last of them is looked at."""
    import pyarrow as pa  # noqa: PLC0415 - a run whose data is prepared does without

    first, last = int(rows.min()), int(rows.max())
    texts: list[str | None] = column.slice(first, last - first + 1).take(pa.array(rows - first)).to_pylist()
    return texts
