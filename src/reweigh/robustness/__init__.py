"""How fragile a pooled estimate is."""
