"""Boundary scores of folders of maps."""
