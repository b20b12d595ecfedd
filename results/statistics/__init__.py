"""One statistical method a file; each docstring teaches the method in plain words.

`results.methods` decides which of them runs when. Nothing here knows tasks, variants or files.
"""
