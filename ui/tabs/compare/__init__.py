"""The Compare tab: every method on one picture and prompt, and three experiments."""
