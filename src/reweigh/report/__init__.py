"""What a reader gets: the summary of a review."""
