"""What we want to know; made from a design only, never from an outcome."""
