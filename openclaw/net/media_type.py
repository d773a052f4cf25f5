"""
Parsing of the C{Content-Type} header.
"""

from email.message import Message


def mediaType(contentType: str) -> tuple[str, str | None]:
    """
    Parse a C{Content-Type} header.

    @return: The media type in lower case, and the charset if there is one.
    """
    message = Message()
    message["Content-Type"] = contentType.replace("\r", " ").replace("\n", " ")
    charset = message.get_param("charset")
    kind = contentType.partition(";")[0].strip().lower()
    return kind, charset if isinstance(charset, str) else None
