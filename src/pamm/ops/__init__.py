"""Operations of state-space models over two-dimensional maps."""
