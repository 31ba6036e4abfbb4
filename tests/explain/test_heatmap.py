"""From raw maps to pictures, and the measure of a map."""

import ast
import inspect
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from explain import heatmap, metrics
from explain.explanation import Explanation
from tests.oracles import explain as oracles


def explanation(prompt="a red cat", values=None) -> Explanation:
    values = np.arange(12, dtype=np.float32).reshape(3, 4) if values is None else values
    return Explanation("itsm", prompt, 0.21, 0.7, values, (("cat", 1.0),), ())


@pytest.mark.parametrize("size", [(9, 8), (30, 17), (4, 3)])
def test_resize_is_bilinear(size):
    values = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    found = heatmap.resize(values, size)
    np.testing.assert_allclose(found, oracles.bilinear(values, (size[1], size[0])), atol=1e-5)


def test_normalise_is_min_max_and_guards_constant_maps():
    values = np.array([[-2.0, 0.0], [1.0, 2.0]])
    np.testing.assert_allclose(heatmap.normalise(values), [[0, 0.5], [0.75, 1]])
    for constant in (0.0, 3.0, -1e9):
        assert not heatmap.normalise(np.full((2, 2), constant)).any()
    assert heatmap.normalise(np.array([[1e-9, 3e-9]])).tolist() == [[0.0, 1.0]]


@pytest.mark.parametrize(
    "bad", [np.zeros(3), np.zeros((0, 2)), np.array([[np.nan, 1]]), np.array([[np.inf, 1]])]
)
def test_maps_that_cannot_be_drawn_are_refused(bad):
    with pytest.raises(ValueError, match="finite numbers"):
        heatmap.normalise(bad)


@pytest.mark.parametrize("colormap", heatmap.COLORMAPS)
def test_colour_maps_grow_lighter(colormap):
    """Readable with colour-blindness and in grey: lightness never falls."""
    colours = heatmap.colour(np.linspace(0, 1, 256)[None], colormap)[0].astype(float)
    lightness = colours @ [0.2126, 0.7152, 0.0722]
    assert lightness[-1] - lightness[0] > 90
    assert (np.diff(lightness) > -2).all()


def test_overlay(picture):
    values = np.array([[0.0, 1.0]])
    assert np.array_equal(np.asarray(heatmap.overlay(picture, values, opacity=0)), np.asarray(picture))
    full = heatmap.overlay(picture, values, opacity=1)
    assert full.size == picture.size
    assert full.getpixel((0, 30)) == tuple(heatmap.colour(np.array([[0.0]]))[0, 0])
    assert full.getpixel((89, 30)) == tuple(heatmap.colour(np.array([[1.0]]))[0, 0])
    assert heatmap.overlay(Image.new("L", (1, 500)), values).size == (1, 500)
    with pytest.raises(ValueError, match=r"opacity is 1\.5; allowed: 0 to 1"):
        heatmap.overlay(picture, values, opacity=1.5)
    with pytest.raises(ValueError, match="opacity is nan"):
        heatmap.overlay(picture, values, opacity=float("nan"))
    with pytest.raises(ValueError, match="unknown colour map 'jet'; allowed: viridis, cividis"):
        heatmap.overlay(picture, values, colormap="jet")


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "1"])
@pytest.mark.parametrize("size", [(700, 900), (1, 3000), (3000, 1), (8, 6)])
def test_an_overlay_in_bands_is_the_whole_one(mode, size, monkeypatch):
    """To the bit: resize, min-max, colour and blend of the whole picture at once."""
    rng = np.random.default_rng(3)
    image = Image.fromarray(rng.integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)).convert(mode)
    monkeypatch.setattr(heatmap, "_BAND_PIXELS", 10_000)
    for values in (rng.normal(size=(6, 8)), np.full((2, 2), 3.0)):
        coloured = heatmap.colour(heatmap.normalise(heatmap.resize(values, size)), "magma")
        expected = Image.blend(image.convert("RGB"), Image.fromarray(coloured), 0.4)
        found = heatmap.overlay(image, values, 0.4, "magma")
        assert found.mode == "RGB"
        assert np.array_equal(np.asarray(found), np.asarray(expected))


def test_an_overlay_of_a_large_picture_takes_little_memory():
    """Beside PIL's own pictures, which tracemalloc does not see: one band's arrays, whatever the size."""
    image = Image.new("RGB", (3000, 2000))
    heatmap.overlay(image, np.eye(7))  # imports matplotlib
    tracemalloc.start()
    try:
        heatmap.overlay(image, np.eye(7))
        assert tracemalloc.get_traced_memory()[1] < 2 * image.width * image.height
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("suffix", ["png", "pdf", "svg"])
def test_figure(picture, tmp_path, suffix):
    """Any text is a title: formulas, emoji and scripts that the font lacks raise and warn of nothing."""
    prompts = ["a red cat", r"$\frac{x}{", "قطة 赤い猫 😀", "x" * 300, "${x} {{ y }} <script>"]
    drawn = heatmap.figure(picture, [explanation(prompt) for prompt in prompts])
    drawn.savefig(tmp_path / f"figure.{suffix}")
    assert (tmp_path / f"figure.{suffix}").stat().st_size > 5000
    assert len(drawn.axes) >= 1 + 2 * len(prompts)


def test_figure_of_odd_pictures(tmp_path):
    for size in ((1, 1), (1, 3000), (3000, 1)):
        drawn = heatmap.figure(Image.new("RGB", size), [explanation(values=np.zeros((2, 2)))])
        drawn.savefig(tmp_path / "figure.png")
    with pytest.raises(ValueError, match="no explanations given"):
        heatmap.figure(Image.new("RGB", (4, 4)), [])


def test_matplotlib_is_imported_when_needed_and_pyplot_never():
    """Importing costs nothing, and drawing on a server needs no display."""
    tree = ast.parse(inspect.getsource(heatmap))
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert not any("matplotlib" in ast.unparse(node) for node in imports)
    assert "pyplot" not in "".join(ast.unparse(n) for n in ast.walk(tree) if isinstance(n, ast.ImportFrom))


def test_msc_is_the_paper():
    rng = np.random.default_rng(1)
    values, mask = rng.normal(size=(3, 4)).astype(np.float32), rng.random((12, 16)) < 0.3
    expected = oracles.msc(oracles.bilinear(values, (12, 16)), mask)
    assert metrics.msc(values, mask) == pytest.approx(expected, abs=1e-5)


def test_msc_of_known_maps():
    mask = np.zeros((8, 8), dtype=bool)
    mask[2:5, 3:6] = True
    assert metrics.msc(mask.astype(float), mask) == 1
    assert metrics.msc(-mask.astype(float), mask) == -1
    assert metrics.msc(np.full((8, 8), 3.0), mask) == 0
    two = np.array([[True, False], [False, False]])
    assert metrics.msc(np.array([[4.0, 2.0], [0.0, 1.0]]), two) == pytest.approx(1 - 0.25)


def test_msc_of_the_reversed_map_is_its_negative():
    rng = np.random.default_rng(2)
    values, mask = rng.normal(size=(7, 7)), rng.random((50, 60)) < 0.5
    assert metrics.msc(-values, mask) == pytest.approx(-metrics.msc(values, mask), abs=1e-6)


@pytest.mark.parametrize("mask", [np.zeros((4, 4)), np.ones((4, 4)), np.zeros(4)])
def test_msc_needs_both_sides(mask):
    with pytest.raises(ValueError, match="on and off the thing"):
        metrics.msc(np.eye(4), mask)
