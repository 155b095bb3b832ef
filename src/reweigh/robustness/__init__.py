"""How fragile a pooled estimate is: every removal, small-study effects, every defensible analysis, as of a year."""
