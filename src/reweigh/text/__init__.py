"""How numbers, and codes for reasons and notes, become words."""
