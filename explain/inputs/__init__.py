"""Opens and checks what is given: pictures, prompts, captions, folders.

Imports nothing, so that a picture is opened without torch.
"""
