"""Public data on municipalities: one source per file, and the panel made of them."""
