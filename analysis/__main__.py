"""`python -m analysis`: in a checkout the command `jaxunits analysis`."""

from jaxunits.train.start import end_program, start_program

if __name__ == "__main__":
    start_program()
    from jaxunits.analysis.command import main

    end_program(main(prog="python -m analysis"))
