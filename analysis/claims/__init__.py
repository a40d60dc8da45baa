"""What of the papers' claims holds in measured networks: `python -m analysis.claims FOLDER …`.

Run folders become rows of a results file, each with a number, its interval and a verdict by a rule
that is the same for all networks; nothing here is measured.
"""
