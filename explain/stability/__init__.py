"""Asks for a label in many phrasings: which words count in each, and whether the decision stays."""
