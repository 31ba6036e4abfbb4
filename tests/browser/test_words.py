"""The Words tab in a real browser: the matrix, the words of its rows, examples, links, files, and hostile texts."""

import csv
import re

from playwright.sync_api import Page, expect

import explain
import toyland
from explain.stability.phrasebook import PHRASINGS
from tests.browser.app_process import PATIENCE
from ui.tabs.words.examples import FIRST

LINK = "?tab=words&seed=24&labels=house,+boat,+castle,+tent"


def answered(page: Page, texts: int = 80) -> None:
    """Waits until the matrix of one answer is there."""
    expect(page.locator("#words-status")).to_contain_text(f"{texts} texts read", timeout=PATIENCE)
    expect(page.locator(".tl-matrix")).to_be_visible()


def expected(labels: str = FIRST.labels, seed: int = FIRST.picture.scene.seed) -> explain.Stability:
    image = toyland.draw_scene(toyland.sample_scene(seed), 768)
    clip = explain.load("toy-vit", device="cpu")
    return explain.explain_phrasings(clip, image, [label.strip() for label in labels.split(",")])


def answers(page: Page) -> list[str]:
    return page.locator(".tl-matrix tbody .tl-answer strong").all_inner_texts()


def labels_box(page: Page):
    return page.locator("#labels textarea, #labels input").first


def test_the_tab_opens_with_something_explained(page, address):
    page.goto(address)
    page.get_by_role("tab", name="Words").click()
    answered(page)
    found = expected()
    assert answers(page) == [found.labels[decision] for decision in found.decisions]
    expect(page.locator(".tl-flips")).to_have_count(len(found.flips))
    expect(page.locator(".tl-verdict")).to_contain_text(
        f"disagree {100 * found.instability:.0f} % of the time"
    )
    expect(page.locator(".tl-matrix tfoot .tl-answer")).to_have_text(found.labels[found.decided])
    expect(labels_box(page)).to_have_value(FIRST.labels)
    shares = page.locator(".tl-matrix tbody tr:not(.tl-words-row)").nth(1).locator("td:not(.tl-answer)")
    assert [int(re.sub(r"\D", "", text)) for text in shares.all_inner_texts()] == [
        round(100 * text.probability) for text in found.texts[1]
    ]
    page.get_by_role("tab", name="Explain").click()
    page.get_by_role("tab", name="Words").click()  # nothing is asked anew
    expect(page.locator(".tl-flips")).to_have_count(len(found.flips))


def test_a_row_shows_its_words(page, address):
    page.goto(address + LINK)
    answered(page)
    found = expected()
    rows = page.locator(".tl-matrix tbody tr:not(.tl-words-row)")
    for number in (next(iter(found.flips)), 16):
        if rows.nth(number).locator("button").get_attribute("aria-expanded") != "true":
            rows.nth(number).locator("button").click()
        text = found.texts[number][found.decisions[number]]
        block = page.locator(".tl-row-words .tl-words").first
        expect(block).to_contain_text(f"“{text.prompt}”")
        assert block.locator(".tl-told > span").all_inner_texts() == [word.text for word in text.words]
        neglected = block.locator(".tl-neglected > span").all_inner_texts()
        assert neglected == [word.text for word in text.words if word.neglected]
        expect(page.locator(".tl-row-words .tl-words")).to_have_count(2 if number in found.flips else 1)
    rows.nth(5).locator("td").last.click()  # anywhere in the row
    expect(rows.nth(5).locator("button")).to_have_attribute("aria-expanded", "true")
    rows.nth(5).locator("button").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".tl-row-words")).to_have_count(0)


def test_examples_scenes_and_typed_labels(page, address):
    page.goto(address + LINK)
    answered(page)
    page.get_by_role("button", name="No doubt").click()
    expect(page.locator(".tl-verdict")).to_have_text("All 20 phrasings say “rabbit”.", timeout=PATIENCE)
    expect(page.locator(".tl-flips")).to_have_count(0)
    labels_box(page).fill("rabbit, goldfish")
    page.locator("#ask-words").click()
    answered(page, 40)
    page.locator("#words-gallery button.thumbnail-item").nth(1).click()  # what was typed stays
    expect(labels_box(page)).to_have_value("rabbit, goldfish")
    answered(page, 40)
    page.locator("#phrasings textarea").fill("a {}\na photo of a {}")
    labels_box(page).fill("tree, ring")
    page.locator("#ask-words").click()
    answered(page, 4)
    expect(page.locator(".tl-matrix tbody tr:not(.tl-words-row)")).to_have_count(2)


def test_another_model_and_an_uploaded_picture(page, address, tmp_path):
    page.goto(address + LINK)
    answered(page)
    page.locator("#words-model optgroup").first.wait_for(state="attached", timeout=PATIENCE)
    page.locator("#words-model select").select_option("toy-rn")
    expect(page.locator("#words-status")).to_contain_text("Toyland ResNet", timeout=PATIENCE)
    toyland.draw_scene(toyland.sample_scene(55), 300).save(tmp_path / "mine.png")
    page.locator("#words-picture button[aria-label='Remove Image']").click()
    page.locator("#words-picture input[type=file]").set_input_files(tmp_path / "mine.png")
    page.locator("#words-keep").get_by_text("Save, share, repeat in Python").click()
    link = page.locator("#words-link textarea, #words-link input").first
    expect(link).not_to_have_value(re.compile("seed="), timeout=PATIENCE)


def test_what_cannot_be_asked_is_said_and_the_answer_stays(page, address):
    page.goto(address + LINK)
    answered(page)
    page.locator("#phrasings textarea").fill("a photo")
    page.locator("#ask-words").click()
    expect(page.get_by_text("has no place for the label")).to_be_visible(timeout=PATIENCE)
    expect(page.locator(".tl-matrix tbody tr:not(.tl-words-row)")).to_have_count(len(PHRASINGS))
    page.locator("#phrasings textarea").fill("a {}")
    page.locator("#ask-words").click()
    answered(page, 4)


def test_files_and_the_link(page, address):
    page.goto(address + LINK + "&phrasings=a+{}%0Athe+{label}")
    answered(page, 8)
    page.locator("#words-keep").get_by_text("Save, share, repeat in Python").click()
    with page.expect_download() as saving:
        page.locator("#words-keep").get_by_role("button", name="Table, CSV").click()
    assert saving.value.suggested_filename == "tokenlight-words.csv"
    with open(saving.value.path(), encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["text"] for row in rows[:5]] == ["a house", "a boat", "a castle", "a tent", "the house"]
    for kind, name in (("Figure, PNG", "tokenlight-words.png"), ("Numbers, JSON", "tokenlight-words.json")):
        with page.expect_download() as saving:
            page.locator("#words-keep").get_by_role("button", name=kind).click()
        assert saving.value.suggested_filename == name
    link = page.locator("#words-link textarea, #words-link input").first
    expect(link).to_have_value(re.compile(r"tab=words.*seed=24.*labels=house.*phrasings="))
    shown = page.locator(".tl-matrix").inner_text()
    page.wait_for_timeout(1000)  # the first page's other tabs are done, too
    page.goto(link.input_value())
    answered(page, 8)
    assert page.locator(".tl-matrix").inner_text() == shown


def test_typed_texts_never_become_markup(page, address):
    page.goto(address + LINK)
    answered(page)
    hostile = "<img src=x onerror=hurt()>"
    labels_box(page).fill(f"cat, {hostile}")
    page.locator("#phrasings textarea").fill("{}\n<b>{}\n${1} {label}")
    page.locator("#ask-words").click()
    answered(page, 6)
    expect(page.locator(".tl-matrix .tl-label").nth(1)).to_have_text(hostile)
    for row in page.locator(".tl-phrasing").all():
        row.click()
    expect(page.locator(".tl-words-page img, .tl-words-page b")).to_have_count(0)


def test_nothing_is_wider_than_a_phone(phone, address):
    phone.goto(address + LINK)
    answered(phone)
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    wide = phone.locator(".tl-row-words").evaluate("node => node.getBoundingClientRect().right")
    assert wide <= 390
    labels_box(phone).fill(", ".join(["x" * 90, *(f"label number {n}" for n in range(11))]))
    phone.locator("#phrasings textarea").fill("{}\na {}")
    phone.locator("#ask-words").click()
    expect(phone.get_by_text("is too long for toy-vit")).to_be_visible(timeout=PATIENCE)
    labels_box(phone).fill(", ".join(["x" * 25, *(f"label number {n}" for n in range(11))]))
    phone.locator("#ask-words").click()
    answered(phone, 24)
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390


def test_many_pictures_are_asked_about_at_once(page, address, tmp_path):
    page.goto(address + LINK)
    answered(page)
    page.locator("#many-drawn").click()
    expect(page.locator("#many-status")).to_contain_text("8 pictures read", timeout=PATIENCE)
    many = page.locator("#many")
    expect(many.locator(".tl-many li")).to_have_count(8)
    expect(many.locator(".tl-verdict")).to_contain_text("On these 8 pictures")
    assert many.locator("tbody .tl-answer").all_inner_texts()[0].endswith("of 8")
    rows = many.locator("tbody tr:not(.tl-words-row)")
    rows.nth(1).locator("button").click()
    expect(many.locator(".tl-words-row")).to_contain_text("taken for")
    expect(page.locator("#matrix .tl-verdict")).not_to_contain_text(
        "On these"
    )  # that is the other question's
    good, bad = tmp_path / "one.png", tmp_path / "bad.png"
    toyland.draw_scene(FIRST.picture.scene, 200).save(good)
    bad.write_bytes(b"no picture")
    page.locator("#many-pictures").get_by_label("Clear").click()
    page.locator("#many-pictures input[type=file]").set_input_files([good, bad])
    expect(page.locator("#many-pictures .thumbnail-item")).to_have_count(2, timeout=PATIENCE)
    page.locator("#ask-many").click()
    expect(page.locator("#many-status")).to_contain_text("1 picture read", timeout=PATIENCE)
    expect(many.locator(".tl-note").first).to_contain_text("1 of 2 pictures cannot be used")
    expect(many.locator(".tl-note").nth(1)).to_contain_text("bad.png")
