"""Readers of other people's formats, each in a process of its own.

Parsers of PDF and HTML are large native libraries, and plugins are anybody's code: they crash, hang and eat memory.
So they run in worker processes, with a limit of time and memory for each document; what goes wrong there costs that
document, and nothing else.

- ``child``: the worker's side; ``pipe``: what the two sides say to each other
- ``html``, ``pdf``: readers, which are called in a worker only
- ``worker``: one such process, seen from ours; ``pool``: as many as there are threads
- ``table``: which reader is for which ending, plugins too

The worker's side imports nothing of ours but ``pipe``, so that it starts fast and in little memory.
"""
