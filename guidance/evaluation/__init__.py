"""Do objects stand in their boxes? Everything behind `python -m guidance evaluate`, from layouts to a report.

world.py              layouts, real pictures and a judge, of a package by its name
boxes/                layouts: what is compared, a long run, CLIP models that look at the pictures, the report
tuning/               prompt tuning and its rivals: the run, the measures, the report
edits.py rescues.py   the same for edits and for rescued words, with edit_report.py and rescue_report.py
bootstrap.py gates.py digests.py sheet.py    intervals, what must hold, what a run is known by, its pictures

Long runs are kept, and timed, by `explain.evaluation`.
"""
