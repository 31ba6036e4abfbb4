"""The command lines of `python -m guidance`, and what they share: options, and the files that a run leaves."""
