"""The built-in generators: an autoencoder for latents, a VQGAN's, and a small Stable Diffusion. All of them are
ordinary diffusers checkpoints.
"""
