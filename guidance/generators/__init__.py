"""The generators that can be chosen: finding, opening and running them, by diffusion or by a VQGAN's latents."""
