"""The published tables by topic; each takes `ReportInputs` and a language and returns a `ReportTable`."""
