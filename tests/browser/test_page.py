"""The page in a real browser, as a teacher uses it: upload, type, look, select a word, save, share."""

import json
import re
from pathlib import Path

import matplotlib.cbook
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

import toyland
from tests.browser.app_process import PATIENCE, ROOT, running_app
from ui.components.picture_chooser import GALLERY, SCENES
from ui.shared.photographs import PHOTOGRAPHS

SCENE = "?seed=18"

PHOTOGRAPH = matplotlib.cbook.get_sample_data(
    "grace_hopper.jpg", asfileobj=False
)  # one that every machine has


def open_page(page: Page, address: str, query: str = "") -> None:
    page.goto(address + query)
    expect(page.locator(".tl-map img").first).to_be_visible(timeout=PATIENCE)


def prompts_shown(page: Page, *prompts: str) -> None:
    """Waits until there is one card for each of these prompts."""
    expect(page.locator(".tl-card h3")).to_have_text(list(prompts), timeout=PATIENCE)


def scene_button(page: Page, number: int) -> Locator:
    """A drawn scene of the gallery."""
    return page.locator("#gallery button.thumbnail-item").nth(GALLERY.index(SCENES[number]))


def test_our_photographs_bring_their_prompts_and_their_links(page, address):
    open_page(page, address)
    page.locator("#gallery button.thumbnail-item").nth(1).click()
    officer = list(PHOTOGRAPHS.values())[1]
    prompts_shown(page, *officer.prompts)
    page.locator("#keep button").first.click()
    expect(page.locator("#code")).to_contain_text("assets/photographs/officer.jpg")
    link = page.locator("#link textarea, #link input").first.input_value()
    assert "photo=officer&" in link
    page.goto(link)
    prompts_shown(page, *officer.prompts)


def ask(page: Page, *prompts: str) -> None:
    page.locator("#prompts textarea").fill("\n".join(prompts))
    page.locator("#explain").click()
    prompts_shown(page, *prompts)


def test_the_first_page_is_never_empty(page, address):
    open_page(page, address)
    card = page.locator(".tl-card").first
    expect(card.locator(".tl-map")).to_have_count(2)
    expect(card.locator(".tl-map-title").first).to_contain_text("Image-Text Similarity Map")
    expect(card.locator(".tl-map-title").last).to_contain_text("Relevance")
    expect(page.locator("#status")).to_contain_text(
        "Photo CLIP (built in): the built-in model for photographs"
    )
    expect(page.locator("#credits")).to_contain_text("coffee by Rachel Michetti (CC0)")


def test_the_page_is_the_same_wherever_it_is_started(browser, tmp_path):
    """Gradio serves files of the current directory; our photographs lie elsewhere then."""
    with running_app(tmp_path / "app.log", [str(ROOT / "app.py")], cwd=tmp_path) as address:
        page = browser.new_page()
        open_page(page, address)
        page.locator("#gallery button.thumbnail-item").nth(1).click()
        prompts_shown(page, *list(PHOTOGRAPHS.values())[1].prompts)
        page.close()


def test_a_drawn_scene_says_where_the_thing_is(page, address):
    open_page(page, address, SCENE)
    card = page.locator(".tl-card").first
    expect(card.locator(".tl-finding").first).to_contain_text(
        re.compile("^Here CLIP scores .* (higher|lower|about as high)")
    )
    expect(page.locator("#model-note")).to_contain_text("Drawn scenes are answered by Toyland ViT")


def test_a_photograph_is_answered_by_the_model_for_photographs(page, address, tmp_path):
    """Offline, and nobody chose it; a drawn scene after it is again answered by the model of scenes."""
    open_page(page, address, SCENE)
    status = page.locator("#status")
    expect(status).to_contain_text("Toyland ViT (built in): this is a scene of Toyland")
    page.locator("#picture button[aria-label='Remove Image']").click()
    page.locator("#picture input[type=file]").set_input_files(PHOTOGRAPH)
    ask(page, "a woman in a uniform", "a zyzzyva")
    expect(status).to_contain_text(
        "Photo CLIP (built in): the built-in model for photographs", timeout=PATIENCE
    )
    expect(page.locator(".tl-card").last).to_contain_text("Never seen in training: 'zyzzyva'")
    expect(page.locator("#model select")).to_have_value("automatic")
    scene_button(page, 1).click()
    expect(status).to_contain_text("Toyland ViT (built in)", timeout=PATIENCE)


def test_upload_type_see_select_save_and_reopen(page, address, tmp_path):
    open_page(page, address)
    picture = tmp_path / "my scene.png"
    toyland.draw_scene(toyland.sample_scene(77), 1500).save(picture)
    page.locator("#picture button[aria-label='Remove Image']").click()
    page.locator("#picture input[type=file]").set_input_files(picture)
    ask(page, "a red car", "the sky")
    card = page.locator(".tl-card").first
    assert card.locator("img").first.evaluate("image => image.naturalWidth") == 1280  # shown small
    expect(card.locator(".tl-word span")).to_have_text(["a", "red", "car"])
    expect(card.locator(".tl-number").first).to_contain_text("%")

    whole = card.locator("img").first.get_attribute("src")
    card.locator(".tl-word", has_text="car").click()
    expect(card.locator(".tl-alone")).to_contain_text("the word “car” alone", timeout=PATIENCE)
    assert card.locator("img").first.get_attribute("src") != whole
    card.locator(".tl-back").click()
    expect(card.locator(".tl-alone")).to_have_count(0, timeout=PATIENCE)
    assert card.locator("img").first.get_attribute("src") == whole

    with page.expect_download() as saving:
        card.locator(".tl-save").first.click()
    assert saving.value.suggested_filename == "a-red-car-itsm.png"
    saving.value.save_as(tmp_path / "saved.png")
    with Image.open(tmp_path / "saved.png") as saved:
        assert saved.size == (1500, 1500)  # full size

    page.get_by_text("Save, share, repeat in Python").click()
    for label, name in (("Figure, PDF", "tokenlight-figure.pdf"), ("Numbers, JSON", "tokenlight.json")):
        with page.expect_download() as saving:
            page.get_by_role("button", name=label).click()
        assert saving.value.suggested_filename == name
    assert [p["prompt"] for p in json.loads(Path(saving.value.path()).read_text())["prompts"]] == [
        "a red car",
        "the sky",
    ]


def test_a_link_reopens_the_view(page, address):
    open_page(page, address, "?seed=12&prompts=a+tree%0Athe+snow&method=gradcam&with=none")
    prompts_shown(page, "a tree", "the snow")
    expect(page.locator(".tl-card").first.locator(".tl-map")).to_have_count(1)
    page.get_by_text("Save, share, repeat in Python").click()
    link = page.locator("#link textarea, #link input").first
    expect(link).to_have_value(re.compile(r"seed=12.*method=gradcam.*with=none"))
    shown = page.locator(".tl-map img").first.get_attribute("src")
    page.goto(link.input_value())
    prompts_shown(page, "a tree", "the snow")
    assert page.locator(".tl-map img").first.get_attribute("src") == shown


def test_a_link_that_asks_the_impossible_opens_the_usual_view(page, address):
    open_page(page, address, "?seed=nothing&model=../../etc&method=none&prompts=a+cat")
    prompts_shown(page, "a cat")
    expect(page.locator("body")).to_contain_text("Here is the usual view instead")


def test_colours_strength_and_reversal_redraw(page, address):
    open_page(page, address)
    first, second = (page.locator(".tl-map img").nth(index) for index in (0, 1))
    before, beside = first.get_attribute("src"), second.get_attribute("src")
    page.get_by_label("Reverse first map").check()
    expect(page.locator(".tl-map-title").first).to_contain_text("Reversed")
    assert first.get_attribute("src") != before
    assert second.get_attribute("src") == beside
    page.locator("#colormap select").select_option("cividis")
    expect(second).not_to_have_attribute("src", beside)
    page.locator("#opacity input[type=range]").fill("0")
    expect(first).not_to_have_attribute("src", before)


def test_drawn_scenes_bring_their_prompts(page, address):
    open_page(page, address)
    before = page.locator("#prompts textarea").input_value()
    scene_button(page, 1).click()
    expect(page.locator("#prompts textarea")).not_to_have_value(before)
    prompts_shown(page, *page.locator("#prompts textarea").input_value().splitlines())
    before = page.locator(".tl-map img").first.get_attribute("src")
    page.locator("#new-scene").click()
    expect(page.locator(".tl-map img").first).not_to_have_attribute("src", before)


def test_models_that_cannot_be_had_are_greyed_with_the_reason(page, address):
    open_page(page, address)
    option = page.locator("#model option[value='ViT-B-16-openai']")
    expect(option).to_contain_text("600 MB", timeout=PATIENCE)
    expect(option).to_contain_text("offline")
    assert option.is_disabled()
    assert not page.locator("#model option[value='toy-vit']").is_disabled()


def test_another_model_and_method_answer(page, address):
    open_page(page, address)
    before = page.locator(".tl-map img").first.get_attribute("src")
    expect(page.locator("#model option[value='toy-rn']")).to_be_attached(timeout=PATIENCE)
    page.locator("#model select").select_option("toy-rn")
    expect(page.locator("#status")).to_contain_text("ResNet", timeout=PATIENCE)
    expect(page.locator(".tl-map img").first).not_to_have_attribute("src", before)
    page.locator("#beside select").select_option("gradcam")
    expect(page.locator(".tl-map-title").nth(1)).to_contain_text("Grad-CAM", timeout=PATIENCE)


def test_the_camera_is_a_source(page, address):
    page.context.grant_permissions(["camera"])
    open_page(page, address)
    before = page.locator(".tl-map img").first.get_attribute("src")
    page.locator("#picture button[aria-label='Remove Image']").click()
    page.locator("#picture button[aria-label='Capture from camera']").click()
    page.get_by_text("Click to Access Webcam").click()
    page.wait_for_function("document.querySelector('#picture video')?.currentTime > 0.5")  # the camera is on
    page.locator("#picture button[aria-label='capture photo']").click()
    expect(page.locator(".tl-map img").first).not_to_have_attribute("src", before, timeout=PATIENCE)


def test_two_visitors_see_their_own(page, browser, address):
    open_page(page, address, "?seed=3&prompts=mine")
    with browser.new_context() as other:
        stranger = other.new_page()
        open_page(stranger, address, "?seed=4&prompts=yours")
        prompts_shown(stranger, "yours")
        page.get_by_label("Reverse first map").check()
        expect(page.locator(".tl-map-title").first).to_contain_text("Reversed")
        prompts_shown(page, "mine")
        expect(stranger.locator(".tl-map-title").first).not_to_contain_text("Reversed")


def test_what_a_visitor_types_never_becomes_markup(page, address):
    open_page(page, address)
    typed = [
        "<img src=x onerror=window.hurt=1>",
        "${window.hurt=1}",
        "{{constructor}}",
        "<script>window.hurt=1</script>",
    ]
    ask(page, *typed)
    page.locator(".tl-picture").first.click()
    expect(page.locator(".tl-large figcaption")).to_contain_text(typed[0])
    page.keyboard.press("Escape")
    assert page.evaluate("window.hurt") is None
    assert page.locator(".tl-card img[src=x]").count() == 0


def test_bad_input_is_told_and_the_page_goes_on(page, address, tmp_path):
    open_page(page, address)
    page.locator("#prompts textarea").fill(" ")
    page.locator("#explain").click()
    expect(page.locator("body")).to_contain_text("There is no prompt yet", timeout=PATIENCE)
    ask(page, "a cat")


@pytest.mark.parametrize("width", [390, 768, 1366, 1920])
def test_nothing_is_wider_than_the_screen(page, address, width):
    page.set_viewport_size({"width": width, "height": 844})
    open_page(page, address)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


SLOW_DOWNLOAD = """
import pathlib, sys, time
import app
from ui.models import device

fetch, arrived = device.fetch, pathlib.Path(sys.argv.pop(1))

def fetch_slowly(model, progress=None):
    while model == "toy-rn" and not arrived.exists():
        progress(0.4, "downloading a model")
        time.sleep(0.05)
    fetch(model, progress)

device.fetch = fetch_slowly
sys.exit(app.main())
"""


def test_who_waits_for_a_download_sees_it_and_blocks_nobody(browser, tmp_path):
    arrived = tmp_path / "arrived"
    with (
        running_app(tmp_path / "app.log", ["-c", SLOW_DOWNLOAD, str(arrived)]) as address,
        browser.new_context() as mine,
        browser.new_context() as other,
    ):
        page, stranger = mine.new_page(), other.new_page()
        open_page(page, address)
        expect(page.locator("#model option[value='toy-rn']")).to_be_attached(timeout=PATIENCE)
        before = page.locator(".tl-map img").first.get_attribute("src")
        page.locator("#model select").select_option("toy-rn")
        expect(page.locator("#status")).to_contain_text("downloading a model", timeout=PATIENCE)
        expect(page.locator(".tl-map img").first).to_be_visible()
        open_page(stranger, address)
        ask(stranger, "a question meanwhile")
        expect(page.locator("#status")).to_contain_text("downloading a model")
        arrived.touch()
        expect(page.locator("#status")).to_contain_text("ResNet", timeout=PATIENCE)
        expect(page.locator(".tl-map img").first).not_to_have_attribute("src", before)


def test_maps_are_measured_on_a_box_that_is_drawn_over_an_own_picture(page, address, tmp_path):
    open_page(page, address, SCENE)
    expect(page.locator("#where")).to_be_hidden()
    picture = tmp_path / "mine.png"
    toyland.draw_scene(toyland.sample_scene(77), 600).save(picture)
    page.locator("#picture button[aria-label='Remove Image']").click()
    page.locator("#picture input[type=file]").set_input_files(picture)
    page.get_by_role("button", name=re.compile("Where is the thing")).click(timeout=PATIENCE)
    canvas = page.locator("#where .tl-canvas")
    canvas.scroll_into_view_if_needed()
    frame = canvas.bounding_box()
    assert frame
    page.mouse.move(frame["x"] + 0.1 * frame["width"], frame["y"] + 0.1 * frame["height"])
    page.mouse.down()
    page.mouse.move(frame["x"] + 0.6 * frame["width"], frame["y"] + 0.6 * frame["height"], steps=5)
    page.mouse.up()
    page.keyboard.press("Escape")
    finding = page.locator(".tl-finding").first
    expect(finding).to_contain_text(re.compile(r"which is 2[3-7]\s% of the picture"), timeout=PATIENCE)
    expect(finding).to_contain_text(re.compile("pointing game: (hit|miss)"))
    scene_button(page, 0).click()
    expect(page.locator("#where")).to_be_hidden(timeout=PATIENCE)
