"""How each package does the same work: one module a package, one function a task.

A function takes the panel (columns unit, time, entry, y, x, region; entry 0 = waiting) and returns a call without
arguments that does all of it, from the frame to the table of effects, and returns {"rows": [(event time, estimate,
standard error), ...], "more": {name: number}}. What only puts the frame into a package's own convention is done before.
"""
