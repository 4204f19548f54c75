"""`python setup_keys.py` is `oneflow keys setup`."""

from oneflow_ai.setup_keys import main

if __name__ == "__main__":
    main()
