"""The page: the only package that imports Gradio.

tabs/ has a folder per tab, components/ what they are built from, events/ what happens between a press and its answer,
shared/ pictures, sentences and links, models/ where models are; static/ holds scripts and styles.
"""
