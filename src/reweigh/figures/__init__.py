"""Figures of record."""
