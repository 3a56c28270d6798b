"""Data sets, transforms, and what they hand over."""
