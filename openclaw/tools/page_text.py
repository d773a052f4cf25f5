"""
Extraction of the text of a fetched document.
"""

import re

from openclaw.tools.html_text import renderHTML
from openclaw.tools.page_charset import decodeText
from openclaw.tools.pdf_text import extractPDFText
from openclaw.tools.printable import escapeControls

HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})
PDF_TYPES = frozenset({"application/pdf", "application/x-pdf"})

_TEXT = re.compile(
    r"text/.*|message/(?:rfc822|http)|.*\+(?:json|json-seq|toml|xml|yaml)"
    r"|application/(?:x-|vnd\.)?(?:bash|bibtex|c|config|csh|csv|dart|diff|ecmascript"
    r"|gettext|go|graphql|httpd-php|httpd-php-source|ini|java|java-properties"
    r"|javascript|json|json-seq|json5|jsonl|jsonlines|ksh|latex|lua|manifest|markdown"
    r"|mbox|mpegurl|n-quads|n-triples|ndjson|node|patch|pem-certificate-chain|pem-file"
    r"|perl|pgp-keys|pgp-signature|php|powershell|properties|python|python-code|rst"
    r"|ruby|rust|sh|shellscript|sparql-query|sql|subrip|tcl|tex|texinfo|toml|trig|troff"
    r"|troff-man|typescript|www-form-urlencoded|xml|xml-dtd|xml-external-parsed-entity"
    r"|yaml|yang)"
)
"""
The media types of text.
"""


def isTextType(kind: str) -> bool:
    """
    Return whether a media type is one of text.
    """
    return _TEXT.fullmatch(kind) is not None


def isReadableType(kind: str) -> bool:
    """
    Return whether text can be extracted from this media type.
    """
    return isTextType(kind) or kind in PDF_TYPES


def extractText(data: bytes, kind: str, charset: str | None, limit: int) -> str | None:
    """
    Extract the text of a response.

    @param kind: The media type.
    @param charset: The charset of the Content-Type header.
    @param limit: The characters that are of use.  The text may be longer.
    @return: The text, or C{None} if the data is not text.
    @raise openclaw.tools.pdf_text.UnreadablePDF: It is PDF, and has no text.
    """
    if kind in PDF_TYPES:
        return escapeControls(extractPDFText(data, limit))
    html = kind in HTML_TYPES
    xml = kind.endswith(("/xml", "+xml"))
    text = decodeText(data, charset, html, xml)
    if "\0" in text:
        return None
    return escapeControls(renderHTML(text) if html else text)
