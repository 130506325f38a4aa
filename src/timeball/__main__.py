"""`python -m timeball` is the same as `timeball`."""

from timeball.cli.root import main

if __name__ == "__main__":
    main()
