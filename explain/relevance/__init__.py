"""Relevance by attention and its gradient (Chefer et al. 2021): the recursion, and what it gives for texts."""
