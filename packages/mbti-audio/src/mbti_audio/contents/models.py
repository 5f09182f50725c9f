"""Models for sounds."""

from __future__ import annotations

from mbti_core.contracts.component import Component, Source

_WHOLE = "no masking of time in fine-tuning"
DAI_2017 = Source(
    "Very Deep Convolutional Neural Networks for Raw Waveforms",
    "Wei Dai, Chia Dai, Shuhui Qu, Juncheng Li, Samarjit Das",
    "ICASSP",
    2017,
    url="https://arxiv.org/abs/1610.00087",
    deviations=("32 and 64 channels where they have 128 to 512, as the net of the same name in public tutorials",),
)
SAINATH_2015 = Source(
    "Convolutional Neural Networks for Small-footprint Keyword Spotting",
    "Tara N. Sainath, Carolina Parada",
    "Interspeech",
    2015,
    deviations=("four layers of 3 x 3 convolutions with BatchNorm, and the mean over time before the linear layer",),
)
YU_2025 = Source(
    "BackdoorMBTI: A Backdoor Learning Multimodal Benchmark Tool Kit for Defense Evaluation",
    "Haiyang Yu, Tian Xie, Jiaping Gui, Pengyang Wang, Pengzhou Cheng, Ping Yi, Yue Wu",
    "KDD",
    2025,
    url="https://arxiv.org/abs/2411.11006",
    deviations=("the logarithm of the bands", "the last frame of sound and not of padding"),
)
ANDRADE_2018 = Source(
    "A Neural Attention Model for Speech Command Recognition",
    "Douglas Coimbra de Andrade, Sabato Leo, Martin Loesener Da Silva Viana, Christoph Bernkopf",
    "arXiv",
    2018,
    url="https://arxiv.org/abs/1808.08929",
    deviations=("40 cepstral coefficients, as Koffas et al. 2023 have it",),
)
SNYDER_2018 = Source(
    "X-vectors: Robust DNN Embeddings for Speaker Recognition",
    "David Snyder, Daniel Garcia-Romero, Gregory Sell, Daniel Povey, Sanjeev Khudanpur",
    "ICASSP",
    2018,
    deviations=("log mel bands where they have 24 cepstral coefficients", "BatchNorm before ReLU"),
)
NAGRANI_2017 = Source(
    "VoxCeleb: A Large-Scale Speaker Identification Dataset",
    "Arsha Nagrani, Joon Son Chung, Andrew Zisserman",
    "Interspeech",
    2017,
    url="https://arxiv.org/abs/1706.08612",
    deviations=("40 log mel bands, and attention over time, as Yu et al. 2025 have it",),
)
HE_2016 = Source(
    "Deep Residual Learning for Image Recognition",
    "Kaiming He, Xiangyu Zhang, Shaoqing Ren, Jian Sun",
    "CVPR",
    2016,
    url="https://arxiv.org/abs/1512.03385",
    deviations=("on log mel bands, without stride or pooling before the blocks, and with half as many channels",),
)
BAEVSKI_2020 = Source(
    "wav2vec 2.0: A Framework for Self-Supervised Learning of Speech Representations",
    "Alexei Baevski, Henry Zhou, Abdelrahman Mohamed, Michael Auli",
    "NeurIPS",
    2020,
    url="https://arxiv.org/abs/2006.11477",
    deviations=(_WHOLE,),
)
HSU_2021 = Source(
    "HuBERT: Self-Supervised Speech Representation Learning by Masked Prediction of Hidden Units",
    "Wei-Ning Hsu, Benjamin Bolte, Yao-Hung Hubert Tsai, Kushal Lakhotia, Ruslan Salakhutdinov, Abdelrahman Mohamed",
    "IEEE/ACM Transactions on Audio, Speech, and Language Processing",
    2021,
    url="https://arxiv.org/abs/2106.07447",
    deviations=(_WHOLE,),
)


def _model(name: str, module: str, summary: str, source: Source, *traits: str) -> Component:
    target = f"mbti_audio.models.{module}:{name}"
    return Component("model", f"audio/{name}", target, summary, source=source, traits=frozenset(traits))


def _pretrained(name: str, summary: str, source: Source) -> Component:
    target, traits = f"mbti_audio.models.pretrained:{name}", frozenset({"bf16", "large"})
    extra = "mbti-audio[pretrained]"
    return Component("model", f"audio/{name}", target, summary, source=source, traits=traits, extra=extra)


MODELS: tuple[Component, ...] = (
    _model("m5", "m5", "Four convolutions over raw sound", DAI_2017),
    _model("melcnn", "melcnn", "Four convolutions over a log mel spectrogram", SAINATH_2015, "bf16"),
    _model("lstm", "lstm", "LSTM over mel bands", YU_2025),
    _model("attention_rnn", "lstm", "LSTM with attention over cepstral coefficients", ANDRADE_2018),
    _model("xvector", "xvector", "Convolutions over time and their statistics, for speakers", SNYDER_2018, "bf16"),
    _model("vggvox", "vggvox", "VGG over mel bands with attention over time, for speakers", NAGRANI_2017, "bf16"),
    _model("resnet18", "resnet", "18-layer ResNet over a log mel spectrogram", HE_2016, "bf16"),
    _pretrained("wav2vec2", "Pretrained wav2vec 2.0, by folder or hub name", BAEVSKI_2020),
    _pretrained("hubert", "Pretrained HuBERT, by folder or hub name", HSU_2021),
)
