"""Changes a picture by a prompt, by words, and inside boxes only: edits, step by step."""
