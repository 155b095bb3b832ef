"""What changed between two results of a review: data, protocol, programme, and what these moved."""
