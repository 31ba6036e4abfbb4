"""The page: the only package that imports Gradio. One file per tab, and device.py for where models live."""
