"""Measures whether objects stand in their boxes: what is compared, the long run, and its report."""
