"""From results to what people read: tables, figures, sentences, a notebook, a page."""
