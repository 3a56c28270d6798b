"""What tests of several commands look at."""

from pamm.cli import main


def fails(capsys, *args) -> str:
    """Run a command that must fail, and give its one line."""
    assert main([str(arg) for arg in args]) == 2
    text = capsys.readouterr().err.strip()
    assert text.startswith("error: ")
    assert "\n" not in text
    return text
