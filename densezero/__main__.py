"""``python -m densezero`` runs the command line, as ``densezero`` does."""

from densezero.cli.main import main

if __name__ == "__main__":
    main()
