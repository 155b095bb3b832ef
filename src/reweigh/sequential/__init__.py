"""Trial sequential analysis: was there ever enough information?"""
