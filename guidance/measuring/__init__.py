"""Do the things stand in their boxes? Everything behind `python -m guidance evaluate`, from layouts to a report.

world.py                   layouts, real pictures and a judge, of a package by its name
conditions.py              what is compared, as settings
evaluation.py sources.py   a long run: pictures made batch by batch, looked at once, what was seen kept as it goes
witness.py                 CLIP models that look at them: one that did not guide, and the one that did
tallies.py bootstrap.py    what was seen against what was wanted; sums of layouts, and intervals
report.py parts.py text.py sheet.py    the report as JSON, on a terminal, and its pictures
edits.py edit_report.py    the same for edits: `python -m guidance evaluate-edits`

Long runs are kept, and timed, by `explain.measuring`.
"""
