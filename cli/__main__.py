"""`python -m cli` is the same as `vibes-pipeline`."""

from cli.main import main

if __name__ == "__main__":
    main()
