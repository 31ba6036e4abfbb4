"""The drawn world without any model: scenes by seed, pictures, masks, boxes and captions."""
