"""The report on open claims data: its inputs, tables, figures and sentences in both languages."""
