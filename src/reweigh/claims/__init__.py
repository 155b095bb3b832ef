"""Claims on trial: what is claimed, what it leans on, and what the trials say, by rule."""
