"""Objectives for pictures, as losses on CLIP's explanations: boxes, words, and the settings of both."""
