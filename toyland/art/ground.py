"""The surface on which a place is painted."""

from __future__ import annotations

from PIL import Image, ImageDraw

from toyland.art.pen import Colour, Shape

FACTOR = 4  # supersampling


class Ground:
    """A square being painted: supersampled, in unit coordinates, tinted a little as a whole."""

    def __init__(self, pixels: int, tint: Colour) -> None:
        self.side = pixels * FACTOR
        self.tint = tint
        self.picture = Image.new("RGB", (self.side, self.side))
        self.pencil = ImageDraw.Draw(self.picture)

    def finished(self) -> Image.Image:
        """The picture at the size asked for, antialiased."""
        return self.picture.reduce(FACTOR)

    def colour(self, colour: Colour) -> Colour:
        """The colour moved by the tint."""
        red, green, blue = (min(max(c + t, 0), 255) for c, t in zip(colour, self.tint, strict=True))
        return red, green, blue

    def fade(self, top: Colour, bottom: Colour) -> None:
        """Fill the square, fading from top to bottom."""
        first, last = (Image.new("RGB", self.picture.size, self.colour(c)) for c in (top, bottom))
        mask = Image.linear_gradient("L").resize(self.picture.size)
        self.picture.paste(Image.composite(last, first, mask))

    def fill(self, colour: Colour, *shapes: Shape) -> None:
        """Fill shapes with one colour."""
        for shape in shapes:
            scaled = [(x * self.side - 0.5, y * self.side - 0.5) for x, y in shape]
            self.pencil.polygon(scaled, fill=self.colour(colour))
