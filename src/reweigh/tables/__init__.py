"""The tables of a review: read, checked as a whole, and every problem reported at once."""
