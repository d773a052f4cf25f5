"""
HTTP responses of hostile servers, for Hypothesis.
"""

import gzip

from hypothesis import strategies as st

_NAMES = st.sampled_from(
    [
        b"Content-Type",
        b"Content-Length",
        b"Content-Encoding",
        b"Transfer-Encoding",
        b"Location",
        b"Set-Cookie",
        b"Set-Cookie2",
        b"Connection",
        b"WWW-Authenticate",
        b"Upgrade",
        b"Refresh",
    ]
)
_VALUES = st.binary(max_size=20) | st.sampled_from(
    [
        b"",
        b"0",
        b"4",
        b"-1",
        b"+4",
        b"4, 4",
        b"9" * 30,
        b"chunked",
        b"Chunked, gzip",
        b"identity",
        b"gzip",
        b"br",
        b"close",
        b"h2c",
        b"/",
        b"//",
        b"http://[",
        b"http://a:b@site.example/",
        b"http://site.example:99999/",
        b"\xff://\xff/",
        b"text/html; charset=\xff",
        b"text/html; charset=utf-16",
        b"text/html; charset*=utf-8''%ff",
        b'text/plain; charset="',
        b"image/png",
        b"a=b; domain=\xff; expires=\xff; max-age=9" + b"9" * 20,
    ]
)
_HEADERS = st.tuples(_NAMES | st.binary(max_size=8), _VALUES).map(b": ".join)
_STATUS = st.sampled_from(
    [
        b"HTTP/1.1 200 OK",
        b"HTTP/1.0 200 OK",
        b"HTTP/1.1 200",
        b"HTTP/1.1 200 \xff",
        b"HTTP/1.1 100 Continue",
        b"HTTP/1.1 101 Switching",
        b"HTTP/1.1 204 No",
        b"HTTP/1.1 302 Found",
        b"HTTP/1.1 304 Same",
        b"HTTP/1.1 401 No",
        b"HTTP/1.1 500 Oh",
        b"HTTP/1.1 999 ?",
        b"HTTP/1.1 -1 ?",
        b"HTTP/9.9 200 OK",
    ]
)
_BODIES = st.binary(max_size=40) | st.sampled_from(
    [
        b"4\r\ntext\r\n0\r\n\r\n",
        b"4\r\ntext\r\n0\r\nSet-Cookie: \xff\r\n\r\n",
        b"4\r\nte",
        b"4\r\ntextX0\r\n\r\n",
        b"zz\r\ntext",
        b"-4\r\ntext",
        b"f" * 40 + b"\r\ntext",
        b"4;" + b"x" * 3000 + b"\r\ntext",
        gzip.compress(b"text"),
        gzip.compress(b"text")[:-3],
        b"HTTP/1.1 200 OK\r\n\r\n",
    ]
)
_ENDS = st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r"])


@st.composite
def hostileAnswers(draw):
    """
    Draw a response: plausible parts in any order, or any bytes.
    """
    end = draw(_ENDS)
    lines = [draw(_STATUS), *draw(st.lists(_HEADERS, max_size=6))]
    whole = end.join([*lines, b"", draw(_BODIES)])
    return draw(st.just(whole) | st.just(whole) | st.binary(max_size=100))


__all__ = ["hostileAnswers"]
