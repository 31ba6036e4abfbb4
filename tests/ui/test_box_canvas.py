"""The box canvas, seen from Python: its value, what is read from it, and what is told of what cannot be read."""

import json
import math
import subprocess
import sys

import pytest
from gradio_client.utils import json_schema_to_python_type

from guidance.layout.parsing import MAX_BOXES, Box, parse_boxes
from ui.components.box_canvas import COLOURS, MOST, BoxCanvas, canvas_value, plain_boxes

CAT = {"phrase": "red cat", "left": 0.1, "top": 0.2, "right": 0.45, "bottom": 0.6}
CAR = {"phrase": "blue car", "left": 0.5, "top": 0.5, "right": 1.0, "bottom": 1.0}


def read_boxes(value):
    """As handlers do."""
    return parse_boxes(plain_boxes(value))


def test_boxes_go_to_the_page_and_back():
    boxes, _ = parse_boxes([CAT, CAR])
    value = json.loads(json.dumps(canvas_value(boxes, "data:image/png;base64,", 1.5, "a street")))
    assert value["boxes"] == [CAT, CAR]
    assert (value["background"], value["aspect"], value["alt"]) == ("data:image/png;base64,", 1.5, "a street")
    assert read_boxes(value) == (boxes, ())
    assert canvas_value(plain_boxes(value))["boxes"] == [CAT, CAR]


def test_the_page_has_as_many_boxes_as_the_library():
    assert canvas_value(())["most"] == MOST == MAX_BOXES


@pytest.mark.parametrize("value", [None, {}, {"boxes": []}, canvas_value(()), []])
def test_no_boxes_are_no_mistake(value):
    assert read_boxes(value) == ((), ())


def test_what_the_page_adds_is_dropped():
    value = canvas_value([Box("red cat", 0.1, 0.2, 0.45, 0.6)])
    value["boxes"][0] |= {"id": 7, "colour": "#000000"}
    assert read_boxes(value)[0] == (Box("red cat", 0.1, 0.2, 0.45, 0.6),)


def test_a_box_over_the_border_is_cut_and_that_is_said():
    boxes, notes = read_boxes({"boxes": [CAT | {"left": -0.1}]})
    assert boxes[0].left == 0
    assert "cut at the picture's border" in notes[0]


@pytest.mark.parametrize(
    ("boxes", "told"),
    [
        ([CAT, CAT | {"left": "0.1"}], "box 2: left is '0.1'; allowed"),
        ([CAT | {"top": math.nan}], "box 1: top is nan"),
        ([CAT | {"top": None}], "box 1: top is None"),
        ([CAT | {"right": 300}], "looks like pixels"),
        ([CAT | {"right": 0.1}], "left less than right"),
        ([CAT | {"phrase": ""}], "box 1: the phrase is empty"),
        ([CAT | {"phrase": "x" * 201}], "the phrase has 201 characters; allowed: up to 200"),
        ([{key: CAT[key] for key in CAT if key != "phrase"}], "'phrase' is missing"),
        ([CAT] * 17, "17 boxes given; allowed: up to 16"),
        ([[0, 0, 1, 1]], "box 1: it is of type list"),
        ("many", "allowed: an object with a list, boxes"),
        (7, "allowed: an object with a list, boxes"),
    ],
)
def test_what_cannot_be_read_is_told(boxes, told):
    with pytest.raises(ValueError, match=told):
        read_boxes({"boxes": boxes})


@pytest.mark.parametrize("value", ["boxes", 3, True])
def test_what_is_no_value_is_told(value):
    with pytest.raises(ValueError, match="allowed: an object with a list, boxes"):
        read_boxes(value)


def test_the_schema_says_what_a_value_is():
    schema = BoxCanvas(render=False).api_info()
    assert set(schema["properties"]) == set(canvas_value(()))
    box = schema["properties"]["boxes"]["items"]
    assert set(box["properties"]) == set(box["required"]) == set(CAT)
    assert box["properties"]["left"] == {"type": "number", "minimum": 0, "maximum": 1}
    kind = "list[dict(phrase: str, left: float, top: float, right: float, bottom: float)]"
    assert f"boxes: {kind}" in json_schema_to_python_type(schema)


def test_a_canvas_is_never_without_a_value():
    canvas = BoxCanvas(render=False)
    assert canvas.value == canvas_value(())
    assert f"const COLOURS = {json.dumps(COLOURS)};" in canvas.js_on_load


def test_colours_differ_and_can_be_written_in_css():
    assert len(set(COLOURS)) == len(COLOURS) >= 8
    assert all(len(colour) == 7 and int(colour[1:], 16) >= 0 for colour in COLOURS)


def test_importing_and_filling_it_brings_neither_torch_nor_the_library():
    program = (
        "import sys; from ui.components import box_canvas; box_canvas.BoxCanvas(render=False);"
        "print(sorted({'torch', 'guidance', 'explain'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
