"""Latent diffusion, guided: the model, its denoiser and schedulers, regions, candidates, and starting pictures."""
