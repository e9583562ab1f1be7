"""What was fixed before any outcome was seen: who enrolled when, and who compares with whom."""
