"""The protocol of a review: `review.yaml` as a closed, typed model."""
