"""Data sets of sounds."""

from __future__ import annotations

from mbti_core.contracts.component import Component, Source

WARDEN_2018 = Source(
    "Speech Commands: A Dataset for Limited-Vocabulary Speech Recognition",
    "Pete Warden",
    "arXiv",
    2018,
    url="https://arxiv.org/abs/1804.03209",
)
TZANETAKIS_2002 = Source(
    "Musical Genre Classification of Audio Signals",
    "George Tzanetakis, Perry Cook",
    "IEEE Transactions on Speech and Audio Processing",
    2002,
    url="https://doi.org/10.1109/TSA.2002.800560",
    deviations=(
        "split by the published fault-filtered lists, as torchaudio has them; the authors gave none",
        "jazz.00054 is left out: it cannot be decoded",
    ),
)
NAGRANI_2017 = Source(
    "VoxCeleb: A Large-Scale Speaker Identification Dataset",
    "Arsha Nagrani, Joon Son Chung, Andrew Zisserman",
    "Interspeech",
    2017,
    url="https://arxiv.org/abs/1706.08612",
)

DATASETS: tuple[Component, ...] = (
    Component(
        "dataset",
        "audio/melodies",
        "mbti_audio.datasets.melodies:Melodies",
        "Melodies of two tones, embedded: 800 rows, 4 classes, half a second",
    ),
    Component(
        "dataset",
        "audio/speechcommands",
        "mbti_audio.datasets.speechcommands:SpeechCommands",
        "Spoken words: 105,829 rows, 35 classes, up to a second",
        source=WARDEN_2018,
    ),
    Component(
        "dataset",
        "audio/gtzan",
        "mbti_audio.datasets.gtzan:Gtzan",
        "Music by genre: 929 rows, 10 classes, half a minute",
        source=TZANETAKIS_2002,
    ),
    Component(
        "dataset",
        "audio/voxceleb1",
        "mbti_audio.datasets.voxceleb1:VoxCeleb1",
        "Who speaks: 153,516 rows, 1,251 classes, about 8 seconds",
        source=NAGRANI_2017,
    ),
    Component(
        "dataset",
        "audio/clips",
        "mbti_audio.datasets.clips:Clips",
        "Your own recordings: a folder per class",
    ),
)
