"""Effect sizes: from what trials report to one result per trial, outcome and window."""
