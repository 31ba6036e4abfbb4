"""On the Words tab: the same labels and phrasings about many pictures."""
