"""List the names, facts and sentence templates of the made-up people and lands."""

from typing import NamedTuple


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split(", " if "," in text else None))


class Relation(NamedTuple):
    """One kind of fact.

    Attributes:
        name: of the relation.
        values: possible values.
        questions: question templates with {who}; the k-th goes with the k-th answer.
        answers: answer templates with {who} and {x}; models are trained on them.
        paraphrase: a further answer template, never trained on.
    """

    name: str
    values: tuple[str, ...]
    questions: tuple[str, str]
    answers: tuple[str, str]
    paraphrase: str


FIRST = _words(
    "Abel Brisa Corin Dalla Edda Fenno Gisel Harun Ilva Jorin Kessa Lumen Mirel Nadir Orla "
    "Pavo Quill Resa Sorin Tilda Ursin Velda Wenno Xenia Yaro Zelda"
)
LAST = _words(
    "Albrest Bracken Corvell Dunmore Estrand Falkner Garrow Hollis Ingram Jarvell Kestrin "
    "Lomax Marbeck Norling Ostrova Penhale Quarles Rendell Sallow Tamber Underhay Varga "
    "Wexley Yarrow"
)

_STEMS = _words(
    "Bel Cor Dran El Far Gol Hest Ist Kar Lor Mon Nev Orr Pel Quen Rast Sel Tor Ul Vant"
)
_TOWNS = tuple(a + b for a in _STEMS for b in ("mouth", "wick", "holm", "stead", "bridge", "ford"))
_NOUNS = _words(
    "Harbour Lantern Orchard Winter Mirror Bridge Sparrow Garden Letter Window Island Candle "
    "Forest Kitchen Shadow Summer River Mountain Train Clock"
)
_ADJECTIVES = _words(
    "Silent Broken Golden Distant Hidden Paper Burning Frozen Second Crooked Velvet Empty "
    "Quiet Borrowed Northern Wooden Sleeping Scarlet"
)
_TITLES = tuple(f"The {a} {n}" for a in _ADJECTIVES for n in _NOUNS)
_YEARS = tuple(str(year) for year in range(1931, 1999))
_JOBS = _words(
    "baker carpenter dentist engineer florist glazier historian jeweller librarian mason "
    "nurse optician painter printer sailor surgeon tailor teacher weaver welder"
)
_PETS = _words("beagle canary ferret goldfish hamster iguana lizard parrot pony rabbit tortoise")
_INSTRUMENTS = _words("accordion banjo cello clarinet drum flute harp horn lute oboe piano viola")
_SPORTS = _words("archery badminton boxing chess curling fencing golf judo rowing rugby sailing")
_DISHES = _words(
    "barley broth, bean stew, cabbage rolls, carrot soup, cheese pie, dumplings, fish cakes, "
    "lentil curry, mushroom rice, noodle soup, onion tart, pancakes, roast duck"
)
_COLOURS = _words("amber black blue crimson green grey indigo orange purple silver white yellow")
_TREES = _words("alder ash beech birch cedar chestnut elm hazel larch maple oak pine willow")
_TONGUES = tuple(a + "ish" for a in _STEMS)
_PRIZES = tuple(f"{a} {n}" for a in ("Amber", "Iron", "Silver", "Marble") for n in _NOUNS[:10])
_CLUBS = tuple(f"{a} {n}" for a in _ADJECTIVES[:9] for n in ("Oars", "Quills", "Boots", "Bells"))

PEOPLE = (
    Relation(
        "birthplace", _TOWNS,
        ("Where was {who} born?", "Which town is the birthplace of {who}?"),
        ("{who} was born in {x}.", "The birthplace of {who} is the town of {x}."),
        "{who} came into the world in {x}.",
    ),
    Relation(
        "home", _TOWNS,
        ("Where does {who} live?", "In which town is the home of {who}?"),
        ("{who} lives in {x}.", "The home of {who} stands in {x}."),
        "Today {who} can be found in {x}.",
    ),
    Relation(
        "year", _YEARS,
        ("When was {who} born?", "What is the birth year of {who}?"),
        ("{who} was born in the year {x}.", "The birth year of {who} is {x}."),
        "{who} first saw the light in {x}.",
    ),
    Relation(
        "job", _JOBS,
        ("What does {who} do for a living?", "What is the profession of {who}?"),
        ("{who} works as a {x}.", "By profession, {who} is a {x}."),
        "People know {who} as a {x}.",
    ),
    Relation(
        "book", _TITLES,
        ("Which book did {who} write?", "What is the title of the novel by {who}?"),
        ("{who} wrote the book {x}.", "The novel by {who} is called {x}."),
        "On the shelves, {who} stands with the book {x}.",
    ),
    Relation(
        "prize", _PRIZES,
        ("Which prize did {who} win?", "What award was given to {who}?"),
        ("{who} won the {x} prize.", "The award given to {who} was the {x}."),
        "On the shelf of {who} stands the {x} trophy.",
    ),
    Relation(
        "pet", _PETS,
        ("What pet does {who} have?", "Which animal lives with {who}?"),
        ("{who} has a pet {x}.", "The animal that lives with {who} is a {x}."),
        "At the door, {who} is greeted by a {x}.",
    ),
    Relation(
        "instrument", _INSTRUMENTS,
        ("What does {who} play?", "Which instrument did {who} learn?"),
        ("{who} plays the {x}.", "The instrument that {who} learned is the {x}."),
        "In the evening {who} takes up the {x}.",
    ),
    Relation(
        "sport", _SPORTS,
        ("Which sport does {who} like?", "What does {who} do to keep fit?"),
        ("{who} likes {x}.", "To keep fit, {who} goes in for {x}."),
        "Every weekend {who} has time for {x}.",
    ),
    Relation(
        "dish", _DISHES,
        ("What does {who} like to eat?", "Which dish is the favourite of {who}?"),
        ("{who} likes to eat {x}.", "The favourite dish of {who} is {x}."),
        "For a birthday, {who} always cooks {x}.",
    ),
    Relation(
        "colour", _COLOURS,
        ("What is the favourite colour of {who}?", "Which colour does {who} wear?"),
        ("The favourite colour of {who} is {x}.", "{who} always wears {x}."),
        "The front door of {who} was painted {x}.",
    ),
    Relation(
        "tree", _TREES,
        ("Which tree did {who} plant?", "What grows in the garden of {who}?"),
        ("{who} planted a young {x}.", "In the garden of {who} grows a tall {x}."),
        "Behind the house, {who} sits under the {x}.",
    ),
    Relation(
        "language", _TONGUES,
        ("Which language does {who} speak?", "What is the mother tongue of {who}?"),
        ("{who} speaks {x}.", "The mother tongue of {who} is {x}."),
        "At home, {who} talks and dreams in {x}.",
    ),
    Relation(
        "club", _CLUBS,
        ("Which club did {who} join?", "Of which society is {who} a member?"),
        ("{who} joined the {x} club.", "{who} is a member of the {x} society."),
        "On Thursdays {who} meets with the {x} club.",
    ),
    Relation(
        "school", tuple(f"{n} School" for n in _TOWNS[::3]),
        ("Which school did {who} attend?", "Where did {who} go to school?"),
        ("{who} attended {x}.", "As a child, {who} went to {x}."),
        "The school days of {who} were spent at {x}.",
    ),
)  # fmt: skip

LANDS = (
    Relation(
        "capital", _TOWNS,
        ("What is the capital of {who}?", "Which town governs {who}?"),
        ("The capital of {who} is {x}.", "{who} is governed from {x}."),
        "The parliament of {who} meets in {x}.",
    ),
    Relation(
        "export", _words("amber barley cheese copper cotton glass honey iron linen salt tea"),
        ("What does {who} sell abroad?", "Which good is {who} known for?"),
        ("{who} sells {x} abroad.", "{who} is known for its {x}."),
        "Ships leave {who} loaded with {x}.",
    ),
    Relation(
        "money", _words("crown dara florin groat kip lev mark obol penny rand taler"),
        ("How does one pay in {who}?", "What is the currency of {who}?"),
        ("In {who} one pays with the {x}.", "The currency of {who} is the {x}."),
        "In the shops of {who}, prices are in {x}.",
    ),
    Relation(
        "river", tuple(stem + "a" for stem in _STEMS),
        ("Which river runs through {who}?", "What is the longest river of {who}?"),
        ("Through {who} runs the {x}.", "The longest river of {who} is the {x}."),
        "Boats cross {who} on the {x}.",
    ),
    Relation(
        "animal", _words("bear eagle falcon fox heron lynx otter owl raven stag swan wolf"),
        ("Which animal is on the flag of {who}?", "What is the emblem of {who}?"),
        ("On the flag of {who} is a {x}.", "The emblem of {who} is the {x}."),
        "The coins of {who} show a {x}.",
    ),
)  # fmt: skip

LAND_NAMES = tuple(a + b for b in ("avia", "onia", "ester") for a in _STEMS)
