"""The Words tab: labels in many phrasings, about one picture."""
