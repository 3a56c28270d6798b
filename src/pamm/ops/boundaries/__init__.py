"""Boundaries as lines: suppression, thinning, and matching one to one."""
