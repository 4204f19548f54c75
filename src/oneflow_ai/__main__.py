"""`python -m oneflow_ai` is the command `oneflow`."""

from oneflow_ai.cli import main

if __name__ == "__main__":
    main()
