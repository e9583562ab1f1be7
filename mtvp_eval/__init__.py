"""Evaluate care programmes that are rolled out in steps: difference-in-differences and cost-benefit."""

__version__ = "0.1.0"
