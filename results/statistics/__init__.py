"""One statistical method a file; each docstring teaches the method in plain words.

`results.analysis.choose_test` decides which of them runs when.
"""
