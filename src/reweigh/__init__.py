"""Re-weigh the evidence behind a health claim: a library of pure functions over arrays and DataFrames."""
