"""`python -m switchboard` is the command `switchboard`."""

from switchboard.cli.main import main

if __name__ == "__main__":
    main()
