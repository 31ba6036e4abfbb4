"""Which method tells the truth? Everything behind `python -m explain evaluate`, from pictures to a report.

datasets/ subjects.py      what is measured on: pictures with masks, prompts and captions, a range at a time
maps.py iou_table.py       maps against masks, with the pure measures of `explain.metrics`
faithfulness.py curves.py  deletion and insertion; words.py: word scores against leaving a word out
sanity.py                  the same methods on random weights
shift.py shift_profile.py  what the model's pooling takes from the thing, and what from the background
measurement.py stretches.py progress.py   a long run: once per picture, kept as it goes, with the time left
report.py text.py figures.py intervals.py the report as JSON, on a terminal, and drawn
"""
