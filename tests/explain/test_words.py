"""Words, prompts: which tokens make a word, and what is said about a prompt."""

import pytest

from explain.clip.prompts import MAX_CHARACTERS, MAX_PROMPTS, clean, read_prompts, unseen_words
from explain.inputs.words import Word, find_words, tokenize

TOKENIZERS = ["vit", "toy", "siglip"]  # OpenAI's BPE, byte-level BPE, sentencepiece
HARD = [
    "a red cat on the grass",
    "Zebra's unbelievably STRIPED coat, at night!",
    "strawberry muffin",
    "2024 cars and 3.5 boats",
    "😀",
    "👩‍👩‍👧‍👦 on the grass 🏳️‍🌈",
    "e\u0301te\u0301 cafe\u0301 nai\u0308ve a\u0310",
    "قطة حمراء על הדשא",
    "赤い猫が草の上に",
    "ก็ ครับ हिन्दी",
    "don't   stop\u00a0now",
    "${x} {{ y }} <script>alert(1)</script>",
    "<end> <start_of_text><end_of_text> </s> <pad>",
    "&lt;end&gt; &amp;amp; &nbsp;",
    "a\u200db\ufe0fc",
    "\U0001f468\U0001f3fd",
    "½ ² ﬁ Ⅷ",
    "x" * 300,
    "?!... --- ***",
]


@pytest.mark.parametrize("name", TOKENIZERS)
@pytest.mark.parametrize("prompt", HARD)
def test_spans_cover_the_tokens_between_start_and_end(clips, name, prompt):
    """Whatever the script, the spans are in order, without gaps or overlaps, and hold no special token."""
    clip = clips[name]
    ids = clip.tokenize([prompt])[0]
    found = find_words(clip.tokenizer, prompt)
    position = clip.start_tokens
    for word in found.words:
        assert word.text
        assert not word.text.isspace()
        assert word.start == position
        assert word.stop > word.start
        position = word.stop
    if name == "siglip":
        assert ids[position] == 1  # the end token, which is the padding too
        return
    end = 49407 if name == "vit" else clip.tokenizer.tokenizer.eos_token_id
    assert ids[position] == end
    assert (ids == end).sum() == 1


def test_alignment_of_openais_bpe(clips):
    """The fixture of the design: "strawberry muffin" are ids 10233 and 22696, one token each."""
    tokenizer = clips["vit"].tokenizer
    prompt = "a photo of a strawberry muffin"
    words = find_words(tokenizer, prompt).words
    assert [(w.text, w.start, w.stop) for w in words[-2:]] == [("strawberry", 5, 6), ("muffin", 6, 7)]
    assert tokenizer([prompt])[0, 5:7].tolist() == [10233, 22696]


def test_words_of_several_tokens_capitals_and_punctuation(clips):
    words = find_words(clips["vit"].tokenizer, "Unbelievableness, 2024 (cat's)").words
    assert [w.text for w in words] == ["unbelievableness", ",", "2024", "(", "cat's", ")"]
    assert words[0].stop - words[0].start > 1
    assert words[2].stop - words[2].start == 4  # OpenAI's tokenizer reads digits one by one
    words = find_words(clips["toy"].tokenizer, "Grassy CAT, now").words
    assert [w.text for w in words] == ["Grassy", "CAT", ",", "now"]


def test_emoji_and_accents_stay_whole(clips):
    for name in ("vit", "toy"):
        words = [w.text for w in find_words(clips[name].tokenizer, "a 👨🏽 x a\u0310b").words]
        assert words == ["a", "👨🏽", "x", "a\u0310b"]


def test_special_tokens_in_a_prompt_are_text(clips):
    """A visitor cannot end the text early."""
    clip = clips["toy"]
    inner = clip.tokenizer.tokenizer
    ids = tokenize(clip.tokenizer, ["a <end> cat"])[0].tolist()
    assert ids.count(inner.eos_token_id) == 1
    ids = tokenize(clips["vit"].tokenizer, ["a <end_of_text> <START_OF_TEXT> cat"])[0].tolist()
    assert ids.count(49407) == 1
    assert ids.count(49406) == 1


def test_words_of_a_clip(clip):
    words = clip.words(["a red cat", "sky"])
    assert [[w.text for w in row] for row in words] == [["a", "red", "cat"], ["sky"]]


def test_fast_tokenizer_in_many_threads(clips):
    """Their padding and truncation are state: unguarded, threads raise "Already borrowed" or mix lengths."""
    from concurrent.futures import ThreadPoolExecutor

    clip = clips["toy"]

    def run(index: int):
        prompt = "a red cat " * (index % 7 + 1)
        return clip.tokenize([prompt]).shape, len(find_words(clip.tokenizer, prompt).words)

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(run, range(200)))
    assert {shape for shape, _ in found} == {(1, 16)}
    assert {count for _, count in found} == {3, 6, 9, 12, 14}


def test_clean_removes_what_cannot_be_seen():
    assert clean("  a\x00b\n\tc\x1b[31m \ud800d\u202ee\u200bf ") == "a b c [31m def"
    assert clean("👩‍👧 قطة a\u0301") == "👩‍👧 قطة a\u0301"
    assert clean("\x00\u200b \u2028") == ""


@pytest.mark.parametrize("name", TOKENIZERS)
def test_long_prompts_are_cut_and_it_is_said(clips, name):
    prompt = read_prompts(clips[name], ["the sky and " * 3000])[0]
    assert len(prompt.text) <= MAX_CHARACTERS
    room = 15 if name == "siglip" else 14
    assert prompt.words[-1].stop <= room + 1
    assert f"cut after '{prompt.words[-1].text}': {room} tokens are allowed" in prompt.notes


def test_a_prompt_that_just_fits_is_not_cut(clips):
    text = " ".join(["sky"] * 14)
    assert read_prompts(clips["vit"], [text])[0].notes == ()
    assert "cut after 'sky'" in read_prompts(clips["vit"], [text + " cat"])[0].notes[0]


def test_words_never_seen_in_training(clips):
    notes = read_prompts(clips["toy"], ["a Ray's CAT, 3! ox"])[0].notes
    assert notes == ("never seen in training: 'ray's', 'ox'",)
    assert read_prompts(clips["vit"], ["a zebra"])[0].notes == ()


def test_prompt_of_which_the_tokenizer_keeps_nothing(clips):
    prompt = read_prompts(clips["siglip"], ["?!"])[0]
    assert prompt.words == ()
    assert prompt.notes == ("the tokenizer of this model drops everything in this prompt",)


@pytest.mark.parametrize(
    ("prompts", "message"),
    [
        ([], "0 prompts given; allowed: 1 to 32"),
        (["a"] * (MAX_PROMPTS + 1), "33 prompts given; allowed: 1 to 32"),
        (["a"] * 200, "200 prompts given"),
        (["a", ""], "prompt 2 is empty; allowed: 1 to 1000 characters"),
        (["\x00 \u200b\t"], "prompt 1 is empty"),
        (["a", 3], "prompt 2 is a int; allowed: text"),
        ("a red cat", "prompts must be a list of texts, not str"),
        (None, "prompts must be a list of texts, not NoneType"),
    ],
)
def test_bad_prompts(clips, prompts, message):
    with pytest.raises(ValueError, match=message):
        read_prompts(clips["vit"], prompts)


def test_notes_repeat_long_words_shortly(clips):
    """A word of a thousand letters is no reason for a note of a thousand."""
    for name in ("vit", "toy"):
        notes = read_prompts(clips[name], ["x" * 1000])[0].notes
        assert notes[0] == f"cut after '{'x' * 39}…': 14 tokens are allowed"
        assert all(len(note) < 100 for note in notes)
    assert notes[1] == f"never seen in training: '{'x' * 39}…'"
    assert "'" + "x" * 40 + "'" in read_prompts(clips["toy"], ["x" * 40])[0].notes[-1]


def test_either_apostrophe_ends_a_word_of_the_training(clips):
    """Some tokenizers' cleaning keeps the typographic one."""
    for prompt in ("a cat's car", "a cat’s car"):
        assert read_prompts(clips["toy"], [prompt])[0].notes == ()
    words = [Word("Cat’s", 1, 3), Word("Dog’s", 3, 5)]
    assert unseen_words(clips["toy"], words) == ["dog’s"]
