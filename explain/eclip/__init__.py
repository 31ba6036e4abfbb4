"""Trains ECLIP's projection: masked max pooling, guided by free attention (Li et al. 2022)."""
