"""Statistics of data that are looked at more than once: plans, boundaries, and estimates after stopping.

Looking five times at 5 % gives 14 % false alarms. Group sequential methods share the 5 % out over the looks
that were planned (Jennison and Turnbull, Group Sequential Methods, 2000).
"""
