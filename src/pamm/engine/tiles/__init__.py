"""Photos larger than memory allows: tile by tile at full detail, blended before they are decoded."""
