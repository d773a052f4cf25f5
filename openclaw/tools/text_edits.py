"""
Replacing a part of a text, in the line ends that the text has.
"""

from array import array
from bisect import bisect_left
from dataclasses import dataclass
from threading import Event

from openclaw.net.threads import checkStop

MAX_COUNTED = 1000
"""
Limit of the occurrences that are counted where only one is wanted.
"""

MAX_MIXED = 100_000
"""
Limit of the occurrences in a text of both LF and CRLF, which are replaced one by one.
"""


class EditRefused(Exception):
    """
    The edit can't be made.  The message says why, for the model.
    """


@dataclass(frozen=True)
class Edit:
    """
    A replacement that can be made.

    @ivar old: The text to replace, with the line ends of the file.
    @ivar new: Its replacement.
    @ivar count: The number of its occurrences, without those that overlap others.
    @ivar overlapping: Some overlap.
    @ivar spans: The beginnings and ends of the occurrences in turn, in a text whose
        line ends are mixed; C{None} if all are the same text.
    """

    old: str
    new: str
    count: int
    overlapping: bool = False
    spans: "array[int] | None" = None

    @property
    def largest(self) -> str:
        """
        The replacement with the longest line ends that it can get.
        """
        return self.new if self.spans is None else self.new.replace("\n", "\r\n")

    def apply(self, text: str) -> str:
        if self.spans is None:
            return text.replace(self.old, self.new)
        parts, at = [], 0
        for index in range(0, len(self.spans), 2):
            start, end = self.spans[index : index + 2]
            parts += [text[at:start], _adaptTo(text, start, end, self.new)]
            at = end
        return "".join([*parts, text[at:]])


def planEdit(text: str, old: str, new: str, replaceAll: bool, stop: Event) -> Edit:
    """
    Find the text to replace.  Models write LF also for files that have CRLF.

    @return: The edit, with C{count} 0 if the text is not found.
    @raise EditRefused: It occurs more than once.
    """
    ends = text.count("\r\n")
    mixed = 0 < ends < text.count("\n")
    if "\r\n" in old or ends:
        # An edit of LF to CRLF in a text of LF is meant as it is written.
        old, new = (each.replace("\r\n", "\n") for each in (old, new))
    if mixed and ("\n" in old or "\n" in new):
        return _planMixed(text, old, new, replaceAll, stop)
    if ends and not mixed:
        old, new = (each.replace("\n", "\r\n") for each in (old, new))
    count = text.count(old)
    if count and not replaceAll:
        _checkUnique(text, old)
    return Edit(old, new, count, replaceAll and _overlaps(text, old, stop))


def _checkUnique(text: str, old: str) -> None:
    """
    @raise EditRefused: The text occurs more than once.  Occurrences may overlap.
    """
    count, at = 0, text.find(old)
    while at >= 0 and count <= MAX_COUNTED:
        count += 1
        at = text.find(old, at + 1)
    if count > 1:
        times = count if count <= MAX_COUNTED else f"more than {MAX_COUNTED}"
        raise EditRefused(
            f"oldText occurs {times} times; include more of the surrounding text, or"
            " set replaceAll"
        )


def _overlaps(text: str, old: str, stop: Event) -> bool:
    """
    Return whether an occurrence begins within one that is replaced.
    """
    length = len(old)
    if length < 4096 and not any(old.startswith(old[k:]) for k in range(1, length)):
        return False
    at, seen = text.find(old), 0
    while at >= 0:
        if text.find(old, at + 1, at + 2 * length - 1) >= 0:
            return True
        at = text.find(old, at + length)
        seen += 1
        if seen % 1000 == 0:
            checkStop(stop)
    return False


def _planMixed(text: str, old: str, new: str, replaceAll: bool, stop: Event) -> Edit:
    """
    Plan an edit of a text of both LF and CRLF, which a model sees as one.
    """
    plain = text.replace("\r\n", "\n")
    if not replaceAll and old in plain:
        _checkUnique(plain, old)
    count = plain.count(old)
    if not count:
        return Edit(old, new, 0)
    if count > MAX_MIXED:
        raise EditRefused(
            f"oldText occurs {count} times in a file that has both LF and CRLF; the"
            f" limit for those is {MAX_MIXED}"
        )
    # The places in the plain text of the line ends that are CRLF in the text.
    ends, at = array("q"), text.find("\r\n")
    while at >= 0:
        ends.append(at - len(ends))
        at = text.find("\r\n", at + 2)
        if len(ends) % 1000 == 0:
            checkStop(stop)
    spans, at = array("q"), plain.find(old)
    while at >= 0:
        end = at + len(old)
        spans.extend((at + bisect_left(ends, at), end + bisect_left(ends, end)))
        at = plain.find(old, end)
    return Edit(old, new, count, _overlaps(plain, old, stop), spans)


def _adaptTo(text: str, start: int, end: int, new: str) -> str:
    """
    Give a replacement the line end of its place: the first that it replaces, else the
    next one, else the one before.
    """
    at = text.find("\n", start)
    if at < 0:
        at = text.rfind("\n", 0, start)
    return new.replace("\n", "\r\n") if text[at - 1 : at] == "\r" else new
