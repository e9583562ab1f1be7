"""Regions whose truth is known: raw extracts as a region would deliver them, and what the programme really did."""
