"""Pictures at the edge: what is read, how, and what is refused in words."""

import io
import pickle
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin, TiffImagePlugin

from explain import read_image
from explain.inputs.images import MAX_PIXELS, as_rgb, picture_notes


def save(image: Image.Image, kind: str, **options) -> io.BytesIO:
    file = io.BytesIO()
    image.save(file, kind, **options)
    file.seek(0)
    return file


def png_header(width: int, height: int) -> bytes:
    """A tiny file that says it is a huge picture."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP"])
def test_plain_pictures_are_read_as_they_are(picture, kind):
    found = read_image(save(picture, kind, **({"lossless": True} if kind == "WEBP" else {})))
    assert found.mode == "RGB"
    assert np.array_equal(np.asarray(found), np.asarray(picture))


def test_paths_and_bytes(picture, tmp_path):
    path = tmp_path / "with spaces and ünicode.png"
    picture.save(path)
    for source in (path, str(path), path.read_bytes()):
        assert read_image(source).size == picture.size
    with path.open("rb") as file:
        assert read_image(file).size == picture.size


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation):
    """The picture is stored turned; it must be read upright: red at the top left, blue at the bottom right."""
    upright = Image.new("RGB", (40, 24), "white")
    upright.paste("red", (0, 0, 16, 8))
    upright.paste("blue", (24, 16, 40, 24))
    turn = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright.transpose(turn[orientation]) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    found = read_image(save(stored, "JPEG", quality=95, exif=exif))
    assert found.size == (40, 24)
    assert np.abs(np.asarray(found, dtype=int) - np.asarray(upright, dtype=int)).mean() < 12
    assert as_rgb(found).size == (40, 24)  # and not turned again


def test_alpha_is_flattened_on_white():
    for mode in ("RGBA", "LA", "PA"):
        image = Image.new("RGBA", (4, 4), (10, 20, 30, 0)).convert("LA" if mode == "LA" else "RGBA")
        kind = "TIFF" if mode == "LA" else "PNG"
        assert read_image(save(image, kind)).getpixel((0, 0)) == (255, 255, 255)
    half = read_image(save(Image.new("RGBA", (4, 4), (0, 0, 0, 128)), "PNG"))
    assert half.getpixel((0, 0)) == (127, 127, 127)
    palette = Image.new("P", (4, 4), 0)
    palette.putpalette([9, 9, 9] + [200, 0, 0] * 255)
    assert read_image(save(palette, "PNG", transparency=0)).getpixel((0, 0)) == (255, 255, 255)
    assert read_image(save(palette, "PNG")).getpixel((0, 0)) == (9, 9, 9)


def test_sixteen_bits_are_scaled():
    ramp = np.linspace(0, 65535, 256).reshape(16, 16).astype(np.uint16)
    for kind in ("PNG", "TIFF"):
        found = np.asarray(read_image(save(Image.fromarray(ramp), kind)))
        assert np.abs(found[..., 0].ravel().astype(int) - np.arange(256)).max() <= 1
    wide = Image.fromarray(ramp.astype(np.int32))
    assert np.abs(np.asarray(as_rgb(wide))[..., 0].ravel().astype(int) - np.arange(256)).max() <= 1
    eight = Image.fromarray(np.arange(256, dtype=np.int32).reshape(16, 16))
    assert np.asarray(as_rgb(eight))[..., 0].ravel().tolist() == list(range(256))
    floats = Image.fromarray(np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16))
    assert np.asarray(as_rgb(floats))[..., 0].ravel().tolist() == list(range(256))


def test_photographs_of_two_frames_from_phones_are_pictures(picture):
    """MPO: a JPEG with a second JPEG (depth, a preview) behind it is no animation."""
    found = read_image(save(picture, "MPO", save_all=True, append_images=[picture]))
    assert found.size == picture.size
    assert "notes" not in found.info


def test_other_modes():
    for mode in ("L", "1", "CMYK", "YCbCr"):
        image = Image.new("RGB", (6, 5), "white").convert(mode)
        kind = "PNG" if mode in ("L", "1") else "JPEG"
        found = read_image(save(image, kind))
        assert (found.mode, found.size, found.getpixel((2, 2))) == ("RGB", (6, 5), (255, 255, 255))


def test_icc_profile_is_no_obstacle(picture):
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert read_image(save(picture, "JPEG", icc_profile=profile)).size == picture.size
    assert read_image(save(picture, "JPEG", icc_profile=b"nonsense")).size == picture.size


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_animations_give_their_first_frame_and_say_so(kind):
    frames = [Image.new("RGB", (20, 10), colour) for colour in ("red", "blue", "green")]
    options = {"lossless": True} if kind == "WEBP" else {}
    found = read_image(save(frames[0], kind, save_all=True, append_images=frames[1:], **options))
    assert found.getpixel((3, 3)) == (255, 0, 0)
    assert found.info["notes"] == ("only the first frame of this animation is explained",)


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1)])
def test_thin_pictures_are_read(size):
    assert read_image(save(Image.new("RGB", size), "PNG")).size == size


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data:UserWarning")
def test_damaged_exif_is_ignored(picture):
    file = save(picture, "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\x01\x12" * 40)
    assert read_image(file).size == picture.size


def test_large_pictures_are_refused_by_their_header():
    """Before any pixel is decoded: these files have none."""
    for width, height in ((10_000, 5_001), (30_000, 30_000), (2_000_000_000, 1)):
        with pytest.raises(
            ValueError, match="allowed: JPEG, PNG, WebP, GIF, BMP or TIFF pictures of at most 50"
        ):
            read_image(png_header(width, height))
    with pytest.raises(ValueError, match="has 10000 x 5001 = 50 megapixels"):
        read_image(png_header(10_000, 5_001))
    assert MAX_PIXELS == 50_000_000
    with pytest.raises(ValueError, match="damaged or cut short"):
        read_image(png_header(10_000, 5_000))  # allowed by its header, but empty inside


def refused(picture, tmp_path) -> dict:
    """Name -> (a source, what the message says)."""
    jpeg, png = save(picture, "JPEG").getvalue(), save(picture, "PNG").getvalue()
    gif = save(picture.quantize(), "GIF").getvalue()
    files = {
        "truncated.jpg": (jpeg[: len(jpeg) // 2], "damaged or cut short"),
        "truncated.png": (png[: len(png) // 2], "damaged or cut short"),
        "truncated.gif": (gif[: len(gif) // 3], "damaged or cut short"),
        "empty.png": (b"", "is empty"),
        "text.png": (b"not a picture at all, but a text of some length", "not a picture that can be read"),
        "drawing.svg": (b"<svg xmlns='http://www.w3.org/2000/svg'></svg>", "not a picture that can be read"),
        "photo.heic": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 64, "not a picture that can be read"),
        "page.eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a picture that can be read"),
        "noise.jpg": (np.random.default_rng(0).bytes(500), "not a picture that can be read"),
        "header.bmp": (b"BM" + b"\xff" * 60, "cannot be read|not a picture"),
    }
    found = {}
    for name, (data, message) in files.items():
        (tmp_path / name).write_bytes(data)
        found[name] = (tmp_path / name, message)
    found["folder"] = (tmp_path, "is a folder")
    found["missing"] = (tmp_path / "nothing.png", "there is no file 'nothing.png'")
    found["address"] = ("http://localhost:80/secret.png", "there is no file 'secret.png'")
    found["nul"] = ("a\0b.png", "there is no file")
    found["number"] = (3, "must be a path or a file, not int")
    found["none"] = (None, "must be a path or a file, not NoneType")
    return found


def test_bad_pictures_are_refused_in_words(picture, tmp_path):
    for name, (source, message) in refused(picture, tmp_path).items():
        with pytest.raises(ValueError, match=message) as caught:
            read_image(source)
        assert "allowed: JPEG, PNG" in str(caught.value), name
        assert "\n" not in str(caught.value)
        assert str(tmp_path.parent) not in str(caught.value)  # no path of the server in a message


def test_a_pipe_does_not_block(tmp_path):
    import os

    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(ValueError, match="no plain file"):
        read_image(tmp_path / "pipe.png")


def test_unreadable_compression(picture):
    file = save(picture, "TIFF")
    data = bytearray(file.getvalue())
    with Image.open(io.BytesIO(bytes(data))) as image:
        assert image.tag_v2[TiffImagePlugin.COMPRESSION] == 1
    index = data.find(struct.pack("<HHI", TiffImagePlugin.COMPRESSION, 3, 1))
    data[index + 8 : index + 10] = struct.pack("<H", 60000)
    with pytest.raises(ValueError, match="allowed: JPEG"):
        read_image(bytes(data))


def texts(**values) -> PngImagePlugin.PngInfo:
    """PNG text chunks: PIL puts them into `info`, under the names that the file gives them."""
    found = PngImagePlugin.PngInfo()
    for name, value in values.items():
        found.add_text(name, value, zip=len(value) > 100)
    return found


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "I;16"])
def test_nothing_that_a_file_writes_about_itself_is_ours(mode):
    image = (
        Image.new("I;16", (6, 4), 700) if mode == "I;16" else Image.new("RGB", (6, 4), "red").convert(mode)
    )
    written = texts(notes="x" * 900_000, transparency="0", exif="nonsense", title="a")
    file = save(image, "PNG", pnginfo=written, dpi=(72, 72))
    with Image.open(file) as opened:
        opened.load()
        assert "notes" in opened.info  # so it could be taken for ours
        for found in (read_image(file.getvalue()), as_rgb(opened)):
            assert found.info == {}
            assert picture_notes(found) == ()
            assert type(found) is Image.Image
        assert "title" in opened.info  # the picture that was given is left as it was
    plain = Image.new("RGB", (6, 4))
    plain.info["notes"] = ("not ours",)
    assert as_rgb(plain).info == {}
    assert plain.info["notes"] == ("not ours",)


def test_our_notes_travel_with_the_picture():
    frames = [Image.new("RGB", (20, 10), colour) for colour in ("red", "blue")]
    found = read_image(save(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    for image in (found, as_rgb(found), found.copy(), pickle.loads(pickle.dumps(found))):
        assert picture_notes(as_rgb(image)) == ("only the first frame of this animation is explained",)


def test_a_transparent_colour_is_flattened_on_white():
    """PNG's tRNS without an alpha channel: one colour, or one grey of 8 or 16 bits."""
    pixels = np.zeros((2, 2, 3), dtype=np.uint8)
    pixels[0, 0] = (10, 20, 30)
    found = read_image(save(Image.fromarray(pixels), "PNG", transparency=(10, 20, 30)))
    assert found.getpixel((0, 0)) == (255, 255, 255)
    assert found.getpixel((1, 1)) == (0, 0, 0)
    grey = read_image(save(Image.fromarray(pixels[..., 0]), "PNG", transparency=10))
    assert [grey.getpixel((0, 0)), grey.getpixel((1, 1))] == [(255,) * 3, (0,) * 3]
    deep = Image.fromarray(np.array([[1000, 1001]], dtype=np.uint16))
    found = read_image(save(deep, "PNG", transparency=1000))
    assert [found.getpixel((0, 0)), found.getpixel((1, 0))] == [(255,) * 3, (4,) * 3]


def test_a_plain_picture_is_not_copied(picture):
    assert as_rgb(picture) is picture


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_an_opened_picture_that_is_cut_short_is_refused_at_once(picture, kind):
    """PIL decodes lazily: it would fail later, far from the edge."""
    data = save(picture.resize((900, 600)), kind).getvalue()
    with (
        Image.open(io.BytesIO(data[: len(data) // 2])) as image,
        pytest.raises(ValueError, match="allowed: JPEG"),
    ):
        as_rgb(image)
