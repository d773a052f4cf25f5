"""
Extraction of text from PDF, by C{pypdf}, which is imported at its first use.

PDF is not trusted: to be used in L{openclaw.tools.page_main}, which bounds memory and
time.
"""

from io import BytesIO


class UnreadablePDF(Exception):
    """
    The text can't be extracted.  The message says why: C{is encrypted}.
    """


def extractPDFText(data: bytes, limit: int) -> str:
    """
    Extract the text of a PDF, page by page, until there are enough characters.

    @param limit: The most characters, without a note on pages that are left out.
    @raise UnreadablePDF: It is encrypted or damaged, or has no text.
    """
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    try:
        reader = PdfReader(BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise UnreadablePDF("is encrypted with a password")
        count = len(reader.pages)
        parts: list[str] = []
        room, empty = limit, True
        for number, page in enumerate(reader.pages, 1):
            text = page.extract_text().strip()
            empty = empty and not text
            parts.append(f"[page {number} of {count}]\n{text}\n")
            room -= len(parts[-1])
            if room < 0:
                parts[-1] = parts[-1][:room]
                note = "the rest of this page"
                if number < count:
                    note += f" and {count - number} more"
                parts.append(f"\n[{note} is not shown]")
                break
    except PyPdfError as error:
        raise UnreadablePDF(f"is a damaged PDF ({type(error).__name__})") from error
    if empty:
        raise UnreadablePDF("is a PDF without text; its pages may be images")
    return "".join(parts).rstrip("\n")
