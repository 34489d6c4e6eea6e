"""Chance levels and papers of lm-evaluation-harness tasks."""

from unteach.metrics.papers import WMDP as WMDP
from unteach.types import Paper

# Accuracy of random guessing, by prefix of the task's name; the longest matching prefix counts.
# truthfulqa_mc1 and _mc2 are missing: their number of choices differs from question to question.
CHANCE = {
    "wmdp": 0.25,
    "mmlu": 0.25,
    "mmlu_pro": 0.1,  # ten answers; some questions have fewer
    "arc_easy": 0.25,  # four answers; a few questions have three or five
    "arc_challenge": 0.25,
    "hellaswag": 0.25,
    "winogrande": 0.5,
    "piqa": 0.5,
    "boolq": 0.5,
    "openbookqa": 0.25,
    "commonsense_qa": 0.2,
    "gsm8k": 0.0,
}

HARNESS = Paper(
    title="Lessons from the Trenches on Reproducible Evaluation of Language Models",
    authors="Stella Biderman and Hailey Schoelkopf and Lintang Sutawika and others",
    year=2024,
    arxiv="2405.14782",
    where="lm-evaluation-harness",
)
MMLU = Paper(
    title="Measuring Massive Multitask Language Understanding",
    authors="Dan Hendrycks and Collin Burns and Steven Basart and others",
    year=2020,
    arxiv="2009.03300",
    where="57 subjects",
    venue="ICLR 2021",
)
ARC = Paper(
    title="Think you have Solved Question Answering? Try ARC, the AI2 Reasoning Challenge",
    authors="Peter Clark and Isaac Cowhey and Oren Etzioni and others",
    year=2018,
    arxiv="1803.05457",
    where="the easy and the challenge set",
)
HELLASWAG = Paper(
    title="HellaSwag: Can a Machine Really Finish Your Sentence?",
    authors="Rowan Zellers and Ari Holtzman and Yonatan Bisk and Ali Farhadi and Yejin Choi",
    year=2019,
    arxiv="1905.07830",
    where="the endings",
    venue="ACL 2019",
)
GSM8K = Paper(
    title="Training Verifiers to Solve Math Word Problems",
    authors="Karl Cobbe and Vineet Kosaraju and Mohammad Bavarian and others",
    year=2021,
    arxiv="2110.14168",
    where="GSM8K",
)
TRUTHFULQA = Paper(
    title="TruthfulQA: Measuring How Models Mimic Human Falsehoods",
    authors="Stephanie Lin and Jacob Hilton and Owain Evans",
    year=2021,
    arxiv="2109.07958",
    where="the multiple-choice task",
    venue="ACL 2022",
)
WINOGRANDE = Paper(
    title="WinoGrande: An Adversarial Winograd Schema Challenge at Scale",
    authors="Keisuke Sakaguchi and Ronan Le Bras and Chandra Bhagavatula and Yejin Choi",
    year=2019,
    arxiv="1907.10641",
    where="the pronoun questions",
    venue="AAAI 2020",
)


def chance(task: str) -> float | None:
    """Accuracy of random guessing; None where it is not known.

    Example:
        >>> chance("wmdp_bio"), chance("mmlu_pro_law"), chance("mine")
        (0.25, 0.1, None)
    """
    begins = [name for name in CHANCE if task == name or task.startswith(f"{name}_")]
    return CHANCE[max(begins, key=len)] if begins else None
