"""No peer, the floor: read the file, parse every line, split every text at white space. Nothing is found."""

from __future__ import annotations

from _common import arguments, read, write


def main() -> None:
    """Count the words."""
    options = arguments()
    sum(len(text.split()) for _, text in read(options.input))
    write(options.output, ())


if __name__ == "__main__":
    main()
