"""Multi-task dense prediction with the Parameter Aware Mamba Model."""
