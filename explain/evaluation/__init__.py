"""Which method tells the truth? Everything behind `python -m explain evaluate`, from pictures to a report.

datasets/ subjects.py      what is measured on: pictures with masks, prompts and captions, a range at a time
maps.py iou_table.py       maps against masks, with the pure measures of `explain.metrics`
faithfulness.py curves.py  deletion and insertion; words.py: word scores against leaving a word out
sanity.py                  the same methods on random weights
shift.py shift_profile.py  what the model's pooling takes from the object, and what from the background
eclip_ablation.py          ECLIP with each of its choices changed
measurement.py resumable.py    a long run: once per picture, kept as it goes
report.py text.py figures.py   the report as JSON, on a terminal, and drawn
"""
