"""The published figures by topic; each is drawn from the `ReportTable` that is shown beside it."""
