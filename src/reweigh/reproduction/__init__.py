"""Published pooled estimates: recomputed to the printed digit, and checked against themselves."""
