"""The renderer behind :mod:`pamm.data.scenes`: solids, their light and surface patterns, furniture, people, rooms."""
