"""Papers of benchmarks, which metrics, suites and methods cite."""

from unteach.types import Paper

TOFU = Paper(
    title="TOFU: A Task of Fictitious Unlearning for LLMs",
    authors="Pratyush Maini and Zhili Feng and Avi Schwarzschild and Zachary C. Lipton and "
    "J. Zico Kolter",
    year=2024,
    arxiv="2401.06121",
    where="section 2.2",
    venue="COLM 2024",
)
MUSE = Paper(
    title="MUSE: Machine Unlearning Six-Way Evaluation for Language Models",
    authors="Weijia Shi and Jaechan Lee and Yangsibo Huang and Sadhika Malladi and Jieyu Zhao and "
    "Ari Holtzman and Daogao Liu and Luke Zettlemoyer and Noah A. Smith and Chiyuan Zhang",
    year=2024,
    arxiv="2407.06460",
    where="VerbMem, KnowMem and PrivLeak",
    venue="ICLR 2025",
)
EXTRACTION = Paper(
    title="Extracting Training Data from Large Language Models",
    authors="Nicholas Carlini and Florian Tramer and Eric Wallace and Matthew Jagielski and "
    "Ariel Herbert-Voss and Katherine Lee and Adam Roberts and Tom Brown and Dawn Song and "
    "Ulfar Erlingsson and Alina Oprea and Colin Raffel",
    year=2020,
    arxiv="2012.07805",
    where="extraction from a prefix (as a share: OpenUnlearning's), and the zlib score",
    venue="USENIX Security 2021",
)
OPEN_UNLEARNING = Paper(
    title="OpenUnlearning: Accelerating LLM Unlearning via Unified Benchmarking of Methods and "
    "Metrics",
    authors="Vineeth Dorna and Anmol Mekala and Wenlong Zhao and Andrew McCallum and "
    "Zachary C. Lipton and J. Zico Kolter and Pratyush Maini",
    year=2025,
    arxiv="2506.12618",
    where="its metrics, and its code",
    venue="NeurIPS 2025, datasets and benchmarks",
)
WMDP = Paper(
    title="The WMDP Benchmark: Measuring and Reducing Malicious Use With Unlearning",
    authors="Nathaniel Li and Alexander Pan and Anjali Gopal and others",
    year=2024,
    arxiv="2403.03218",
    where="the questions on biology, chemistry and computer security",
    venue="ICML 2024",
)
