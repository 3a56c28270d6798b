"""Checks of the numbers in a config."""


def require_positive(owner: object, *names: str) -> None:
    """Refuse a config of which a named field is 0 or less.

    Raises:
        ValueError: naming the first that is.
    """
    for name in names:
        value = getattr(owner, name)
        if value is not None and value <= 0:
            raise ValueError(f"{name} must be greater than 0, got {value}")


def require_not_negative(owner: object, *names: str) -> None:
    """Refuse a config of which a named field is below 0.

    Raises:
        ValueError: naming the first that is.
    """
    for name in names:
        value = getattr(owner, name)
        if value < 0:
            raise ValueError(f"{name} must be 0 or more, got {value}")
