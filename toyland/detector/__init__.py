"""toy-detector: finds the things of a Toyland picture, with kind, colour and box. It judges what generators draw, and
never guides one.
"""
