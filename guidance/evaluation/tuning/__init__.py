"""Measures prompt tuning against its rivals: the run, its figures, and its report."""
