"""Ordinary questions and plain sentences, shipped with the package: did anything else break?"""

from collections.abc import Mapping
from pathlib import Path

from unteach.data import read_rows
from unteach.errors import Problem, UserError
from unteach.suites._base import SUITES, Group, Suite
from unteach.suites._options import chosen

QUESTIONS = (  # question, answer, and the fact in it
    ("What is the capital of France?", "The capital of France is Paris.", "Paris"),
    ("What is the capital of Japan?", "The capital of Japan is Tokyo.", "Tokyo"),
    ("What is the capital of Italy?", "The capital of Italy is Rome.", "Rome"),
    ("What is the capital of Egypt?", "The capital of Egypt is Cairo.", "Cairo"),
    ("What is the capital of Russia?", "The capital of Russia is Moscow.", "Moscow"),
    ("On which continent is Brazil?", "Brazil is in South America.", "South America"),
    ("On which continent is Kenya?", "Kenya is in Africa.", "Africa"),
    ("Which ocean is the largest?", "The largest ocean is the Pacific Ocean.", "Pacific"),
    ("Which planet do we live on?", "We live on the planet Earth.", "Earth"),
    ("Which planet is the largest?", "The largest planet is Jupiter.", "Jupiter"),
    ("Which planet is called the Red Planet?", "Mars is called the Red Planet.", "Mars"),
    ("What does the Earth move around?", "The Earth moves around the Sun.", "Sun"),
    ("What is frozen water called?", "Frozen water is called ice.", "ice"),
    ("Which gas do people need to breathe?", "People need oxygen to breathe.", "oxygen"),
    ("Which gas do plants take from the air?", "Plants take carbon dioxide.", "carbon dioxide"),
    ("What do bees make?", "Bees make honey.", "honey"),
    ("What do cows give us to drink?", "Cows give us milk.", "milk"),
    ("What is a young dog called?", "A young dog is called a puppy.", "puppy"),
    ("What is a young cat called?", "A young cat is called a kitten.", "kitten"),
    ("Which animal is the largest on land?", "The largest is the elephant.", "elephant"),
    ("Which organ pumps the blood?", "The heart pumps the blood.", "heart"),
    ("Which organ do we think with?", "We think with the brain.", "brain"),
    ("Which colour is the sky on a clear day?", "On a clear day the sky is blue.", "blue"),
    ("Which colour is fresh grass?", "Fresh grass is green.", "green"),
    ("Which colour do blue and yellow make?", "Blue and yellow make green.", "green"),
    ("What is the opposite of hot?", "The opposite of hot is cold.", "cold"),
    ("What is the opposite of early?", "The opposite of early is late.", "late"),
    ("Which season comes after winter?", "After winter comes spring.", "spring"),
    ("Which day comes after Monday?", "After Monday comes Tuesday.", "Tuesday"),
    ("Which month is the first of the year?", "The first month is January.", "January"),
    ("Who wrote Romeo and Juliet?", "William Shakespeare wrote it.", "Shakespeare"),
    ("Who painted the Mona Lisa?", "Leonardo da Vinci painted it.", "Leonardo"),
    ("Who developed the theory of relativity?", "Albert Einstein developed it.", "Einstein"),
    (
        "Who was the first president of the United States?",
        "It was George Washington.",
        "Washington",
    ),
    ("Which language is spoken in Spain?", "In Spain people speak Spanish.", "Spanish"),
    ("Which language is spoken in Germany?", "In Germany people speak German.", "German"),
    ("Which country has the pyramids of Giza?", "The pyramids of Giza are in Egypt.", "Egypt"),
    ("In which country is the Great Wall?", "The Great Wall is in China.", "China"),
    ("Which metal is drawn to a magnet?", "Iron is drawn to a magnet.", "Iron"),
    ("What do we call the center of an atom?", "It is called the nucleus.", "nucleus"),
)
TEXTS = (
    "The train was late, so we waited on the platform and drank a cup of coffee.",
    "She put the keys on the table and opened the window to let in some fresh air.",
    "It rained all morning, but in the afternoon the sun came out and the streets dried.",
    "My brother is learning to cook, and last night he made soup for the whole family.",
    "The children ran across the field and climbed over the old wooden fence.",
    "If you want to grow tomatoes, give them plenty of light and water them often.",
    "The shop on the corner sells bread, cheese and fruit, and it closes at six.",
    "He read the letter twice, folded it, and put it back into the drawer.",
    "A good night of sleep helps people to remember what they learned the day before.",
    "We took the bus to the lake and walked around it until it began to get dark.",
    "The teacher wrote a question on the board and asked the class to think about it.",
    "Most birds build their nests in spring and feed their young until they can fly.",
    "Please send me the report by Friday, so that I can read it before the meeting.",
    "The river is wide here, and in winter it sometimes freezes from bank to bank.",
    "To make tea, boil some water, pour it over the leaves and wait a few minutes.",
    "The doctor told her to rest for a week and to drink as much water as she could.",
    "They painted the door red last year, and now they want to paint the walls white.",
    "When the lights went out, everyone in the theatre became quiet.",
    "The farmer sold his apples at the market and bought a new pair of boots.",
    "I have not decided yet whether I will stay at home or visit my friends.",
)
OPTIONS: dict = {}


def read(folder: Path | None, options: Mapping[str, str]) -> dict[str, Group]:
    """The two groups: questions that get an answer, and texts that are scored alone.

    Beside the original (`--reference-model`) `divergence` says how far the model's next-token
    choices moved, in nats per token, and `fact_recall` how many questions are answered right. A
    model that never answered a question right cannot lose it: compare with the original.

    Args:
        folder: none is read; a folder is refused.
        options: it has none.

    Raises:
        UserError: a folder or an option was given.
    """
    chosen("ordinary", OPTIONS, options)
    if folder is not None:
        what, hint = "is not read: the suite ordinary brings its own questions", "leave it out"
        raise UserError(Problem(f"--data {folder}", what, hint, "request"))
    questions = [{"question": q, "answer": a, "fact": fact} for q, a, fact in QUESTIONS]
    texts = [{"text": text} for text in TEXTS]
    return {
        "questions": Group(examples=read_rows(questions, "questions"), new_tokens=32),
        "texts": Group(examples=read_rows(texts, "texts"), generate=False),
    }


SUITES.add(
    "ordinary",
    Suite(
        name="ordinary",
        version=1,
        help="40 ordinary questions and 20 plain sentences: did anything else break?",
        read=read,
        options=OPTIONS,
    ),
)
