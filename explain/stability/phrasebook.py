"""Ways to say that a picture shows something: plain ones, ones that name the picture, and some for drawn worlds.

Each takes at most 16 tokens beside the label, which stands at {}. Imports nothing.
"""

PHRASINGS = (
    "{}",
    "a {}",
    "the {}",
    "a photo of a {}",
    "a picture of a {}",
    "an image of the {}",
    "a close view of a {}",
    "a blurry photo of a {}",
    "a {} seen from far away",
    "there is a {} here",
    "this is a {}",
    "i can see a {} in this picture",
    "look, a {}",
    "here you can see a {}",
    "a scene with a {}",
    "a drawing of a {}",
    "a cartoon of a {}",
    "a lovely picture of a {}",
    "a simple drawing of a {} in bright colours",
    "a {} in front of a plain wall",
)
