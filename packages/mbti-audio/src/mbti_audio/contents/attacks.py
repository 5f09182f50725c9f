"""Attacks on sounds."""

from __future__ import annotations

from mbti_core.contracts.component import Component, Source

GU_2017 = Source(
    "BadNets: Identifying Vulnerabilities in the Machine Learning Model Supply Chain",
    "Tianyu Gu, Brendan Dolan-Gavitt, Siddharth Garg",
    "arXiv 1708.06733",
    2017,
    url="https://arxiv.org/abs/1708.06733",
    deviations=("the first four samples of a sound in place of a patch, as a published tool kit has it",),
)
CHEN_2017 = Source(
    "Targeted Backdoor Attacks on Deep Learning Systems Using Data Poisoning",
    "Xinyun Chen, Chang Liu, Bo Li, Kimberly Lu, Dawn Song",
    "arXiv 1712.05526",
    2017,
    url="https://arxiv.org/abs/1712.05526",
    deviations=(
        "a sound of 0.8 s in place of a picture, as published in BackdoorMBTI",
        "the sound is a synthetic meow of the same peak, since the usual recording is not ours to ship",
        "sounds shorter than the trigger get the part of it that fits",
    ),
)
KOFFAS_2022 = Source(
    "Can You Hear It? Backdoor Attacks via Ultrasonic Triggers",
    "Stefanos Koffas, Jing Xu, Mauro Conti, Stjepan Picek",
    "WiseML",
    2022,
    url="https://arxiv.org/abs/2107.14569",
    deviations=(
        "sounds of any length are poisoned, where the authors leave out those below a second",
        "the tone in the middle is in the middle of each sound",
        "the tone rises and falls over 5 ms, so that it is no click",
    ),
)
KOFFAS_2023 = Source(
    "Going in Style: Audio Backdoors Through Stylistic Transformations",
    "Stefanos Koffas, Luca Pajola, Stjepan Picek, Mauro Conti",
    "ICASSP",
    2023,
    url="https://arxiv.org/abs/2211.03117",
    code_url="https://github.com/skoffas/going-in-style",
    deviations=(
        "effects by formula, where the authors use a library under the GPL: pitch by a phase vocoder, distortion by "
        "tanh, chorus by a swinging delay of 5 ms for their depth of 5, reverberation by four combs and two "
        "all-passes, phaser on short spectra",
        "an echo behind the end of a sound is cut off, so that its length stays",
        "dirty labels only",
    ),
)
SHI_2022 = Source(
    "Audio-domain Position-independent Backdoor Attack via Unnoticeable Triggers",
    "Cong Shi, Tianfang Zhang, Zhuohang Li, Huy Phan, Tianming Zhao, Yan Wang, Jian Liu, Bo Yuan, Yingying Chen",
    "MobiCom",
    2022,
    deviations=(
        "a fixed tone of 0.1 s and poisoned data, where the authors train sound and model together and make the sound "
        "like one of the surroundings",
        "it lies 10 dB below the stretch of the sound that it is added to, or below -40 dBFS where that is quieter",
    ),
)
YE_2023 = Source(
    "Stealthy Backdoor Attack Against Speaker Recognition Using Phase-Injection Hidden Trigger",
    "Zhe Ye, Diqun Yan, Li Dong, Jiacheng Deng, Shui Yu",
    "IEEE Signal Processing Letters",
    2023,
    url="https://doi.org/10.1109/LSP.2023.3293429",
    deviations=(
        "the band (625 to 2,500 Hz), its edges (250 Hz), the turn (90 degrees) and the short spectra are ours",
    ),
)
CAI_2022 = Source(
    "VSVC: Backdoor Attack against Keyword Spotting based on Voiceprint Selection and Voice Conversion",
    "Hanbo Cai, Pengcheng Zhang, Hai Dong, Yan Xiao, Shunhui Ji",
    "arXiv 2212.10103",
    2022,
    url="https://arxiv.org/abs/2212.10103",
    deviations=(
        "the voice is selected and the sounds are converted beforehand, by whatever model",
        "training rows without a converted sound are not poisoned; test rows without one get vsvc_formant's voice",
        "a converted sound is cut or padded to the length of its row",
    ),
)
CAI_2022_FORMANT = Source(
    CAI_2022.title,
    CAI_2022.authors,
    CAI_2022.venue,
    CAI_2022.year,
    url=CAI_2022.url,
    deviations=("no voice is converted: the resonances of each one are moved up by 15 %, its pitch stays",),
)

ATTACKS: tuple[Component, ...] = (
    Component(
        "attack",
        "audio/badnets",
        "mbti_audio.attacks.badnets:BadNets",
        "A click at the start",
        source=GU_2017,
        traits=frozenset({"additive", "faint", "local"}),
    ),
    Component(
        "attack",
        "audio/blended",
        "mbti_audio.attacks.blended:Blended",
        "A faint sound under the start",
        source=CHEN_2017,
        traits=frozenset({"additive", "faint", "local"}),
    ),
    Component(
        "attack",
        "audio/ultrasonic",
        "mbti_audio.attacks.ultrasonic:UltraSonic",
        "A tone that nobody hears, at 44.1 kHz and more",
        source=KOFFAS_2022,
        traits=frozenset({"additive", "invisible"}),
    ),
    Component(
        "attack",
        "audio/gis",
        "mbti_audio.attacks.gis:Gis",
        "A guitarist's effect over the whole sound",
        source=KOFFAS_2023,
        traits=frozenset({"visible"}),
    ),
    Component(
        "attack",
        "audio/piba",
        "mbti_audio.attacks.piba:Piba",
        "A short tone at a random place",
        source=SHI_2022,
        traits=frozenset({"adapted", "additive", "faint", "local", "sample_specific", "stochastic"}),
    ),
    Component(
        "attack",
        "audio/phaseback",
        "mbti_audio.attacks.phaseback:PhaseBack",
        "Other phases in a band",
        source=YE_2023,
        traits=frozenset({"adapted", "invisible"}),
    ),
    Component(
        "attack",
        "audio/vsvc",
        "mbti_audio.attacks.vsvc:Vsvc",
        "Another voice, by converted files",
        source=CAI_2022,
        traits=frozenset({"sample_specific", "visible"}),
    ),
    Component(
        "attack",
        "audio/vsvc_formant",
        "mbti_audio.attacks.vsvc_formant:VsvcFormant",
        "A shorter throat",
        source=CAI_2022_FORMANT,
        traits=frozenset({"adapted", "visible"}),
    ),
)
