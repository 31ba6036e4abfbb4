"""The words of Toyland: how people name kinds, categories, colours, sizes and places.

The first entry is always the plain word, the one that captions for evaluation use.
"""

from __future__ import annotations

from toyland.art import COLOURS, KINDS, PLACES

Noun = tuple[str, str]  # singular, plural

NOUNS: dict[str, tuple[Noun, ...]] = {
    "cat": (("cat", "cats"), ("kitten", "kittens"), ("kitty", "kitties")),
    "rabbit": (("rabbit", "rabbits"), ("bunny", "bunnies"), ("hare", "hares")),
    "fish": (("fish", "fish"), ("goldfish", "goldfish")),
    "bird": (("bird", "birds"), ("birdie", "birdies"), ("chick", "chicks")),
    "house": (("house", "houses"), ("home", "homes"), ("cottage", "cottages")),
    "castle": (("castle", "castles"), ("fortress", "fortresses")),
    "tent": (("tent", "tents"), ("teepee", "teepees")),
    "lighthouse": (("lighthouse", "lighthouses"), ("beacon", "beacons")),
    "apple": (("apple", "apples"),),
    "banana": (("banana", "bananas"),),
    "cupcake": (("cupcake", "cupcakes"), ("muffin", "muffins"), ("little cake", "little cakes")),
    "mushroom": (("mushroom", "mushrooms"), ("toadstool", "toadstools")),
    "tree": (("tree", "trees"), ("fir", "firs"), ("fir tree", "fir trees")),
    "flower": (("flower", "flowers"), ("blossom", "blossoms"), ("daisy", "daisies")),
    "cactus": (("cactus", "cacti"), ("potted cactus", "potted cacti")),
    "leaf": (("leaf", "leaves"),),
    "star": (("star", "stars"),),
    "heart": (("heart", "hearts"), ("love heart", "love hearts")),
    "ring": (("ring", "rings"), ("hoop", "hoops"), ("doughnut", "doughnuts")),
    "diamond": (("diamond", "diamonds"), ("rhombus", "rhombuses")),
    "car": (("car", "cars"), ("automobile", "automobiles")),
    "boat": (
        ("boat", "boats"),
        ("sailing boat", "sailing boats"),
        ("ship", "ships"),
        ("sailboat", "sailboats"),
    ),
    "plane": (("plane", "planes"), ("airplane", "airplanes"), ("aeroplane", "aeroplanes"), ("jet", "jets")),
    "train": (("train", "trains"), ("locomotive", "locomotives"), ("steam engine", "steam engines")),
}

CATEGORY_NOUNS: dict[str, tuple[Noun, ...]] = {
    "animal": (("animal", "animals"), ("creature", "creatures"), ("pet", "pets")),
    "vehicle": (("vehicle", "vehicles"),),
    "food": (("snack", "snacks"), ("treat", "treats"), ("piece of food", "pieces of food")),
    "building": (("building", "buildings"),),
    "plant": (("plant", "plants"),),
    "shape": (("shape", "shapes"), ("symbol", "symbols")),
}

COLOUR_WORDS: dict[str, tuple[str, ...]] = {
    "red": ("red", "crimson", "bright red"),
    "orange": ("orange", "bright orange"),
    "yellow": ("yellow", "golden", "bright yellow"),
    "green": ("green", "dark green"),
    "blue": ("blue", "bright blue"),
    "purple": ("purple", "violet"),
    "pink": ("pink", "rosy", "light pink"),
    "white": ("white", "snow-white"),
}

SIZE_WORDS: dict[str, tuple[str, ...]] = {
    "small": ("small", "little", "tiny"),
    "large": ("large", "big", "huge"),
}

PLACE_PHRASES: dict[str, tuple[str, ...]] = {
    "grass": ("on the grass", "in a meadow", "on a lawn", "in the field"),
    "sand": ("on the sand", "on the beach", "in the desert"),
    "water": ("on the water", "in the sea", "at sea", "on the ocean"),
    "night": ("in the night sky", "at night", "under the moon", "in the dark sky"),
    "snow": ("in the snow", "on snow", "in winter", "on a snowy day"),
    "bricks": ("by a brick wall", "in front of a wall", "against the bricks"),
    "road": ("on the road", "in the street", "on the asphalt"),
    "wood": ("on a wooden floor", "on the floor", "on wooden planks"),
}

PLACE_NOUNS: dict[str, tuple[str, ...]] = {
    "grass": ("grass", "a meadow", "a green lawn"),
    "sand": ("sand", "a beach", "the desert"),
    "water": ("water", "the sea", "the ocean"),
    "night": ("the night sky", "the moon and the night", "a dark sky"),
    "snow": ("snow", "a snowy landscape", "a winter day"),
    "bricks": ("a brick wall", "a wall of bricks", "bricks"),
    "road": ("a road", "a street", "asphalt"),
    "wood": ("a wooden floor", "wooden planks", "a floor of wood"),
}

COUNT_WORDS = {2: "two", 3: "three", 4: "four"}

for _words, _names in (
    (NOUNS, KINDS),
    (COLOUR_WORDS, COLOURS),
    (PLACE_PHRASES, PLACES),
    (PLACE_NOUNS, PLACES),
):
    if set(_words) != set(_names):
        raise ValueError(f"words and drawings disagree on {sorted(set(_words) ^ set(_names))}")


def plain_noun(kind: str) -> str:
    """The plain singular noun of a kind: "cat"."""
    return NOUNS[kind][0][0]


def with_article(phrase: str) -> str:
    """A phrase with its indefinite article: "an apple", "a red apple"."""
    return ("an " if phrase[0] in "aeiou" else "a ") + phrase
