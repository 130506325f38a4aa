"""Compile every kernel once and leave the machine code in the cache, so that a first run does not wait for it."""


def main() -> None:
    """Import each room's kernels and call each with a small input."""


if __name__ == "__main__":
    main()
