"""From effects and their influence functions to intervals, bands and p-values."""
