"""The Explain tab: a picture, prompts, and a map for each."""
