"""What lets a run outlive its machine: checkpoints, logs that go on, orderly stops, bad batches, dead readers."""
