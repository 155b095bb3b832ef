"""`python -m reweigh` is the command `reweigh`."""

from reweigh.cli.main import main

if __name__ == "__main__":
    main(prog_name="reweigh")
