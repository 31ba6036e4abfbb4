"""Names of what ImageNet's classes show, so that words are learnt of which no caption speaks.

Every class has its synonyms and a definition (timm's `ImageNetInfo`), and everyday words stand for ranges of classes:
no class is called "dog". A row w_c of the trunk's classifier becomes a feature that a photograph of the class would
have (linear discriminant analysis, read backwards):

    x_c = mu + r S w_c / |S w_c|

with mu and S the mean and covariance of photographs' features, and r their mean distance to mu.
"""

from __future__ import annotations

import re
from collections import defaultdict
from random import Random

import torch
import torch.nn.functional as F
from timm.data import ImageNetInfo
from torch import Tensor

from photographs.data import with_article

CLASSES = 1000
SURE = 0.3  # the classifier's probability from which a photograph stands for a class
TEMPLATES = (
    "{}",
    "{}",
    "a photo of {}",
    "a picture of {}",
    "there is {}",
    "{} in the picture",
    "a close up of {}",
)
# Everyday words that are true of all classes of a range, by the numbers of its first and last class.
RANGES = {
    "animal": ((0, 397),),
    "ape": ((365, 369),),
    "bear": ((294, 297),),
    "beetle": ((300, 307),),
    "bird": ((7, 24), (80, 100), (127, 146)),
    "butterfly": ((321, 326),),
    "camel": ((354, 354),),
    "cat": ((281, 285),),
    "chicken": ((7, 8),),
    "cow": ((345, 345),),
    "crab": ((118, 121),),
    "crocodile": ((49, 50),),
    "deer": ((351, 353),),
    "dog": ((151, 268),),
    "duck": ((97, 98),),
    "eagle": ((22, 22),),
    "elephant": ((385, 386),),
    "fish": ((0, 6), (389, 397)),
    "fox": ((277, 280),),
    "frog": ((30, 32),),
    "goat": ((350, 350),),
    "horse": ((339, 339),),
    "insect": ((300, 326),),
    "kitten": ((281, 285),),
    "lizard": ((38, 48),),
    "lobster": ((122, 123),),
    "monkey": ((369, 382),),
    "owl": ((24, 24),),
    "panda": ((388, 388),),
    "parrot": ((87, 90),),
    "penguin": ((145, 145),),
    "pig": ((341, 342),),
    "poodle": ((265, 267),),
    "puppy": ((151, 268),),
    "rabbit": ((330, 332),),
    "retriever": ((205, 209),),
    "seal": ((150, 150),),
    "shark": ((2, 4),),
    "sheep": ((348, 349),),
    "snake": ((52, 68),),
    "spider": ((72, 77),),
    "terrier": ((179, 202),),
    "turtle": ((33, 37),),
    "whale": ((147, 148),),
    "wolf": ((269, 272),),
    "zebra": ((340, 340),),
}
# And of classes here and there, by the first of their names.
MEMBERS = {
    "airplane": "airliner, warplane",
    "bag": "backpack, mailbag, plastic bag, purse",
    "ball": "baseball, basketball, croquet ball, golf ball, ping-pong ball, rugby ball, soccer ball, volleyball",
    "beach": "seashore, sandbar",
    "bed": "four-poster, cradle, crib",
    "bench": "park bench",
    "bicycle": "bicycle-built-for-two, mountain bike",
    "bike": "bicycle-built-for-two, mountain bike",
    "boat": "canoe, catamaran, fireboat, gondola, lifeboat, speedboat, trimaran, yawl",
    "book": "comic book, book jacket",
    "bottle": "beer bottle, pop bottle, water bottle, wine bottle, pill bottle",
    "bowl": "mixing bowl, soup bowl",
    "bread": "French loaf, bagel, pretzel",
    "bridge": "steel arch bridge, suspension bridge, viaduct",
    "building": "barn, castle, church, library, monastery, mosque, palace, planetarium",
    "bus": "minibus, school bus, trolleybus",
    "camera": "Polaroid camera, reflex camera",
    "car": "beach wagon, cab, convertible, jeep, limousine, minivan, Model T, racer, sports car",
    "chair": "barber chair, folding chair, rocking chair, throne",
    "clock": "analog clock, digital clock, wall clock",
    "computer": "desktop computer, laptop, notebook",
    "couch": "studio couch",
    "cup": "cup, coffee mug, espresso",
    "dress": "gown, hoopskirt, sarong",
    "fence": "picket fence, chainlink fence, worm fence",
    "flower": "daisy, yellow lady's slipper",
    "food": "plate, guacamole, pizza, cheeseburger, hotdog, burrito, meat loaf, carbonara, ice cream, trifle",
    "fruit": "Granny Smith, strawberry, orange, lemon, fig, pineapple, banana, custard apple, pomegranate",
    "guitar": "acoustic guitar, electric guitar",
    "hat": "cowboy hat, sombrero, bonnet",
    "helmet": "crash helmet, football helmet",
    "house": "barn, mobile home, boathouse",
    "keyboard": "computer keyboard, typewriter keyboard",
    "knife": "cleaver, letter opener",
    "lake": "lakeside",
    "motorcycle": "moped, motor scooter",
    "mountain": "alp, volcano",
    "oven": "stove, microwave, Dutch oven",
    "phone": "cellular telephone, dial telephone, pay-phone",
    "piano": "grand piano, upright",
    "plane": "airliner, warplane",
    "sailboat": "catamaran, trimaran, yawl, schooner",
    "sandwich": "cheeseburger, hotdog",
    "ship": "aircraft carrier, container ship, liner, pirate, schooner, wreck",
    "shoe": "running shoe, Loafer, clog",
    "sink": "washbasin",
    "sofa": "studio couch",
    "swimsuit": "bikini, maillot, swimming trunks",
    "table": "dining table, desk, pool table",
    "teddy bear": "teddy",
    "television": "television, screen, monitor",
    "tent": "mountain tent",
    "toilet": "toilet seat",
    "tower": "beacon, bell cote, water tower",
    "train": "bullet train, electric locomotive, freight car, passenger car, steam locomotive",
    "truck": "fire engine, garbage truck, moving van, pickup, tow truck, trailer truck",
    "umbrella": "umbrella",
    "vegetable": "head cabbage, broccoli, cauliflower, zucchini, cucumber, artichoke, bell pepper",
}


def in_a_sentence(name: str, rng: Random) -> str:
    """A name in one of TEMPLATES, with its article, with "the", or bare."""
    return rng.choice(TEMPLATES).format(
        rng.choice((with_article(name), with_article(name), f"the {name}", name))
    )


class Names:
    """The names of every class: `synonyms`, a `definition`, and `everyday` words."""

    def __init__(self) -> None:
        info = ImageNetInfo("imagenet-1k")
        described = [info.index_to_description(number, detailed=True) for number in range(CLASSES)]
        parts = [text.partition(":") for text in described]
        self.synonyms = [[name.strip() for name in names.split(",")] for names, _, _ in parts]
        self.definitions = [definition.strip().lower() for _, _, definition in parts]
        numbers = {name.lower(): number for number, names in enumerate(self.synonyms) for name in names}
        self.everyday: dict[int, list[str]] = defaultdict(list)
        for word, ranges in RANGES.items():
            for first, last in ranges:
                for number in range(first, last + 1):
                    self.everyday[number].append(word)
        for word, members in MEMBERS.items():
            for member in members.split(", "):
                self.everyday[numbers[member.lower()]].append(word)

    @property
    def texts(self) -> list[str]:
        """All of them, for a tokenizer."""
        return [name for names in self.synonyms for name in names] + self.definitions

    @property
    def words(self) -> set[str]:
        """The words of all names, each of which is asked for many times."""
        everyday = {word for words in self.everyday.values() for word in words}
        names = everyday.union(*self.synonyms)
        return {word for name in names for word in re.findall(r"[a-z]+", name.lower())}

    def text(self, number: int, rng: Random) -> str:
        """A text that is true of a class: its definition, or one of its names in a sentence."""
        chance = rng.random()
        if self.everyday[number] and chance < 0.35:
            name = rng.choice(self.everyday[number])
        elif chance < 0.45 and self.definitions[number]:
            return self.definitions[number]
        else:
            name = rng.choice(self.synonyms[number])
        return in_a_sentence(name.lower(), rng)


def class_features(photos: Tensor, classifier: Tensor) -> Tensor:
    """x_c (C, D) of every row of a classifier (C, D), from features (N, D) of photographs."""
    mean = photos.mean(0)
    towards = F.normalize(classifier @ torch.cov(photos.T), dim=1)
    return mean + (photos - mean).norm(dim=1).mean() * towards
