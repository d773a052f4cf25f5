"""
Characters that a provider cuts into two: JSON writes a character beyond U+FFFF as two
escapes, and some servers end a piece of text between them.
"""

from openclaw.models.lenient_json import wellFormed


class SurrogateJoiner(dict[object, str]):
    """
    Joins the pieces of several texts, each of which has a key.  Holds the half with
    which the latest piece of a text ended; it is empty nearly always.
    """

    def join(self, key: object, text: str) -> str:
        """
        Return the next piece of a text.  Half a character at its end is held back.
        """
        text = self.pop(key, "") + text
        if "\ud800" <= text[-1:] <= "\udbff":
            self[key] = text[-1]
            text = text[:-1]
        return wellFormed(text)
