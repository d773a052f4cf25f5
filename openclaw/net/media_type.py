"""
Media types, as a C{Content-Type} header has them.
"""

from email.message import Message


def mediaType(contentType: str) -> tuple[str, str | None]:
    """
    A C{Content-Type}, taken apart.

    @return: The type in lower case, and the charset if there is one.
    """
    message = Message()
    message["Content-Type"] = contentType.replace("\r", " ").replace("\n", " ")
    charset = message.get_param("charset")
    kind = contentType.partition(";")[0].strip().lower()
    return kind, charset if isinstance(charset, str) else None
