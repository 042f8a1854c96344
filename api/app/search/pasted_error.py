"""A pasted error, without what belongs only to the machine that it happened on.

Stack frames, addresses and times are most of what people paste, and say nothing of the problem.
Left in, they dilute the question's vector and outnumber its telling words.
"""

import re

_PYTHON_FRAME = r'[ \t]*File "[^"\n]*", line \d+.*(?:\n[ \t]{4,}.*)*'  # with its line of source
_HEADING = r"[ \t]*Traceback \(most recent call last\):"
_OTHER_FRAME = r"[ \t]*at [^\n]*(?::\d+|<anonymous>)\)?[ \t]*\{?"  # JavaScript, Java, C#
_MARKS = r"[ \t|]*[~^][ \t~^]*"  # what points at a place in the line above

_LINES = re.compile(rf"^(?:{_HEADING}|{_PYTHON_FRAME}|{_OTHER_FRAME}|{_MARKS})$", re.MULTILINE)

_IDS = re.compile(
    r"""(?xi)
      \b(?:\d{4}[-/]\d\d[-/]\d\d[T ])?\d\d:\d\d:\d\d[.,\d]*Z?          # times
    | \b0x[0-9a-f]+\b                                                  # addresses
    | \b(?=[0-9a-f-]{0,40}\d)[0-9a-f]{8,}(?:-[0-9a-f]{4,})*\b               # hashes, UUIDs
    | \b\d{5,}\b                                                       # of processes, of rows
    | (?<=\w):\d+:\d+\b                                                # line and column
    """
)

_PATH = re.compile(r"(?<![\w.:/\\])(?:~|\.{1,2}|[A-Za-z]:)?(?:[/\\][\w.@+-]+){2,}[/\\]([\w.@+-]+)")


def without_noise(question: str) -> str:
    """Return the question without frames, times, addresses and ids, and of paths the last part.

    A question that is nothing else comes back as it is.
    """
    cleaned = _PATH.sub(r"\1", _IDS.sub(" ", _LINES.sub("", question)))
    return cleaned if any(map(str.isalpha, cleaned)) else question
