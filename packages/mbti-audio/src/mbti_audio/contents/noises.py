"""Noises on sounds."""

from __future__ import annotations

from dataclasses import replace

from mbti_core.contracts.component import Component, Source

YU_2025 = Source(
    "BackdoorMBTI: A Backdoor Learning Multimodal Benchmark Tool Kit for Backdoor Defense Evaluation",
    "Haiyang Yu, Tian Xie, Jiaping Gui, Pengyang Wang, Ping Yi, Yue Wu",
    "KDD",
    2025,
    url="https://arxiv.org/abs/2411.11006",
    code_url="https://github.com/SJTUHaiyangYu/BackdoorMBTI",
    deviations=(
        "clipped to [-1, 1]; its code clips to [0, 1], which leaves half of each wave",
        "drawn once per row instead of at each access",
        "rounded to the levels that a file holds",
    ),
)
HIRSCH_2000 = Source(
    "The Aurora Experimental Framework for the Performance Evaluation of Speech Recognition Systems under Noisy "
    "Conditions",
    "Hans-Günter Hirsch, David Pearce",
    "ISCA ITRW ASR",
    2000,
)
LEBART_2001 = Source(
    "A New Method Based on Spectral Subtraction for Speech Dereverberation",
    "Katia Lebart, Jean-Marc Boucher, Philip N. Denbigh",
    "Acta Acustica united with Acustica 87(3)",
    2001,
    deviations=(
        "the direct sound stands before the decaying noise, at the same energy where RT60 is 0.5 s",
        "loudness and length stay",
    ),
)
MAUCH_2013 = Source(
    "The Audio Degradation Toolbox and Its Application to Robustness Evaluation",
    "Matthias Mauch, Sebastian Ewert",
    "ISMIR",
    2013,
    code_url="https://code.soundsoftware.ac.uk/projects/audio-degradation-toolbox",
    code_licence="GPL-2.0-or-later",
)

NOISES: tuple[Component, ...] = (
    Component(
        "noise", "audio/gaussian", "mbti_audio.noise.gaussian:Gaussian", "Gaussian noise on samples", source=YU_2025
    ),
    Component(
        "noise",
        "audio/snr",
        "mbti_audio.noise.snr:Snr",
        "White noise at a signal-to-noise ratio",
        source=replace(MAUCH_2013, deviations=("only white noise", "drawn once per row")),
    ),
    Component(
        "noise",
        "audio/background",
        "mbti_audio.noise.background:Background",
        "Babble, hum or recordings at a signal-to-noise ratio",
        source=replace(
            HIRSCH_2000,
            deviations=(
                "generated backgrounds, unless a folder of recordings is given",
                "the level is that of the whole sound instead of active speech behind a filter",
            ),
        ),
    ),
    Component("noise", "audio/reverb", "mbti_audio.noise.reverb:Reverb", "A room's reverberation", source=LEBART_2001),
    Component(
        "noise",
        "audio/clip",
        "mbti_audio.noise.clip:Clip",
        "Peaks cut off",
        source=replace(MAUCH_2013, deviations=("at a level relative to the peak instead of a quantile of the level",)),
    ),
    Component(
        "noise",
        "audio/bandlimit",
        "mbti_audio.noise.bandlimit:BandLimit",
        "The band of a telephone",
        source=replace(
            HIRSCH_2000, deviations=("a windowed sinc of linear phase instead of the filter that the ITU specifies",)
        ),
    ),
)
