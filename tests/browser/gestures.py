"""What a hand does on a picture: places are fractions of it."""

from playwright.sync_api import Locator, Page

Place = tuple[float, float]


def point(board: Locator, x: float, y: float) -> Place:
    """A place of the picture as one of the window."""
    frame = board.bounding_box()
    assert frame
    return frame["x"] + x * frame["width"], frame["y"] + y * frame["height"]


def drag(page: Page, board: Locator, start: Place, end: Place) -> None:
    """With the mouse."""
    page.mouse.move(*point(board, *start))
    page.mouse.down()
    page.mouse.move(*point(board, *end), steps=5)
    page.mouse.up()


def swipe(page: Page, board: Locator, start: Place, end: Place) -> None:
    """With one finger, on a page that has touch."""
    fingers = page.context.new_cdp_session(page)
    path = [tuple(a + (b - a) * step / 5 for a, b in zip(start, end, strict=True)) for step in range(6)]
    for kind, (x, y) in zip(["touchStart"] + ["touchMove"] * 5, path, strict=True):
        touch = dict(zip("xy", point(board, x, y), strict=True))
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [touch]})
    fingers.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    fingers.detach()
