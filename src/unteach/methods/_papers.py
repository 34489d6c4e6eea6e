"""Papers of more than one method; each method says which part of its paper it is."""

from unteach.metrics.papers import TOFU as TOFU
from unteach.metrics.papers import WMDP as WMDP
from unteach.types import Paper

NPO = Paper(
    title="Negative Preference Optimization: From Catastrophic Collapse to Effective Unlearning",
    authors="Ruiqi Zhang and Licong Lin and Yu Bai and Song Mei",
    year=2024,
    arxiv="2404.05868",
    where="equation 3",
    venue="COLM 2024",
)
WHP = Paper(
    title="Revisiting Who's Harry Potter: Towards Targeted Unlearning from a Causal Intervention "
    "Perspective",
    authors="Yujian Liu and Yang Zhang and Tommi Jaakkola and Shiyu Chang",
    year=2024,
    arxiv="2407.16997",
    where="the forget loss towards the mean over names",
    venue="EMNLP 2024",
)
