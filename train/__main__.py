"""`python -m train`: in a checkout the command `jaxunits train`."""

from jaxunits.train.start import end_program, start_program

if __name__ == "__main__":
    start_program()
    from jaxunits.train.command import main

    end_program(main(prog="python -m train"))
