"""The page in a browser: drop a photo, look at its maps, take them away."""
