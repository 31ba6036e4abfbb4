"""The Edit tab: a picture changed by words and boxes."""
