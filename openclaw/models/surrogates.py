"""
Join the halves of surrogate pairs: JSON escapes a character beyond U+FFFF as a pair,
and some servers split texts within it.
"""

from openclaw.models.lenient_json import wellFormed


class SurrogateJoiner(dict[object, str]):
    """
    Joins the pieces of several texts, each of which has a key.  Holds the first half of
    a pair at the end of a text's latest piece, which is rare.
    """

    def join(self, key: object, text: str) -> str:
        """
        Return the next piece of a text.  Half of a pair at its end is held back.
        """
        text = self.pop(key, "") + text
        if "\ud800" <= text[-1:] <= "\udbff":
            self[key] = text[-1]
            text = text[:-1]
        return wellFormed(text)
