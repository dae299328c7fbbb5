"""From inputs to texts: the only part that opens what the user gave, and it only ever reads.

- ``tree``: what there is to read, each file once; ``formats`` and ``names``: how, and what it is called
- ``streams``: opening without blocking; ``unpack``: decompressing
- ``encodings``: which one a text is in
- ``text``: one file, one document
- ``lines``: a stream cut into lines
- ``records``: one line, one document; ``strict_json``: what a line may be
- ``reading``: all of it, in batches
- ``reread``: one document again, if it hasn't changed
- ``one``: one document that a person named
"""

from dedup.readers.one import open_one
from dedup.readers.reading import read
from dedup.readers.reread import Rereader, fetch

__all__ = ["Rereader", "fetch", "open_one", "read"]
