"""From the records of a finished run to figures, verdicts and tables.

`results` reads the files of a run folder and nothing else: no model, no engine, no task code. So every
table can be made again on another machine, years later, from `manifest.json` and `samples/` alone.
"""
