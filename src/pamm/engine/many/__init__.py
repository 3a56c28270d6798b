"""Many photos and videos: what to predict, reading ahead, writing behind, going on after an interruption."""
