"""Reading stack files: a `Topology`, or every problem of the file at once.

    yamltext.py     YAML with the line of everything, in bounded time and memory
    yamlscalars.py  what an unquoted word is
    structure.py    the shape, by topology's classes, in the words of the stack file
    parts.py        the well-formed parts of a file, malformed as it may be elsewhere
    consistency.py  what must agree between the parts: names, places, machines, numbers
    joining.py      what must be true of the links together
    closest.py      what a name was most likely meant to be
    reading.py      all of it in order
    writing.py      a topology as a stack file again
    reference.py    the page of the vocabulary

A new rule about one value goes into `topology`'s classes; one about two parts into `consistency` or `joining`.
"""

from diversite.stackfile.reading import FILE_BYTES_MAX, PROBLEMS_MAX, Problem, load, loads
from diversite.stackfile.writing import dumps

__all__ = ["FILE_BYTES_MAX", "PROBLEMS_MAX", "Problem", "dumps", "load", "loads"]
