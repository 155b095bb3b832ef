"""Foreign files in, as the tables and the protocol of a review, and a review out, as files of other programmes."""
