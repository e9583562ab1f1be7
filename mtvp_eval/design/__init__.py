"""What the draw, or the order of entry, fixed before any outcome was seen."""
