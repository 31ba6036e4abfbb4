"""From a press to its answer: what stood on the page is answered, the last press counts, and Stop ends all."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import gradio as gr
import pytest

from ui.events import requests
from ui.events.requests import Turn

SHOWN = 2
NOTHING = (gr.skip(), gr.skip())


def press(turn: Turn, *page: object, fetch=None, handler=None) -> None:
    """A press, from the click to the end of what is fetched, as a Gradio that asks with a loop of its own would."""
    fetching = requests._fetching(handler or steps, fetch, 0)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, fetching(turn, None, *page)).result()


def steps(name: str):
    for number in range(3):
        yield name, number


def streamed(turn: Turn):
    return requests._streaming(SHOWN)(turn)


def test_what_stood_on_the_page_is_answered_once():
    turn = Turn()
    press(turn, "first")
    assert list(streamed(turn)) == [("first", 0), ("first", 1), ("first", 2)]
    assert list(streamed(turn)) == [NOTHING]
    press(turn, "a", "b", handler=lambda *page: page)
    assert requests._answering(SHOWN)(turn) == ("a", "b")
    assert requests._answering(SHOWN)(turn) == NOTHING


def test_of_two_presses_in_the_queue_the_last_is_answered():
    turn = Turn()
    press(turn, "first")
    press(turn, "second")
    assert next(streamed(turn)) == ("second", 0)
    assert list(streamed(turn)) == [NOTHING]


def test_what_answers_nothing_leaves_the_page_as_it_is():
    turn = Turn()
    press(turn, handler=lambda: iter(()))
    assert list(streamed(turn)) == [NOTHING]


def test_a_press_ends_the_run_before_it():
    turn = Turn()
    press(turn, "first")
    running = streamed(turn)
    assert next(running) == ("first", 0)
    press(turn, "second")
    assert list(running) == [NOTHING]
    assert turn.cut  # if nothing comes of the second, the page is told that the first has ended
    assert len(list(streamed(turn))) == 3
    assert not turn.cut


def test_stop_ends_what_runs_and_what_waits():
    turn = Turn()
    press(turn, "first")
    running = streamed(turn)
    assert next(running) == ("first", 0)
    press(turn, "second")
    turn.stop()
    assert list(running) == [NOTHING]
    assert list(streamed(turn)) == [NOTHING]


def test_what_is_stopped_while_files_are_fetched_does_not_begin():
    turn = Turn()

    async def fetch(progress):
        turn.stop()

    press(turn, "first", fetch=fetch)
    assert list(streamed(turn)) == [NOTHING]


def test_a_press_whose_files_cannot_be_had_ends_nothing():
    turn = Turn()
    press(turn, "first")
    running = streamed(turn)
    next(running)

    async def fetch(progress):
        raise gr.Error("offline")

    with pytest.raises(gr.Error, match="offline"):
        press(turn, "second", fetch=fetch)
    assert next(running) == ("first", 1)


def test_who_leaves_ends_the_run():
    ended = []

    def endless():
        try:
            while True:
                yield "step", 0
        finally:
            ended.append(True)

    turn = Turn()
    press(turn, handler=endless)
    running = streamed(turn)
    next(running)
    running.close()
    del running
    assert ended == [True]
