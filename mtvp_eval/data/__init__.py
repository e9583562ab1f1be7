"""From raw extracts to a validated panel of units by periods."""
