"""
Tests of L{openclaw.server.routing}.
"""

from twisted.trial.unittest import SynchronousTestCase

from openclaw.errors import NotFound
from openclaw.server.routing import Route, RouteTable, isValidPath


class Answers:
    """
    A resource.
    """

    async def read(self) -> None:
        """
        Do nothing.
        """

    async def write(self) -> None:
        """
        Do nothing.
        """


TABLE = RouteTable(
    (
        Route("GET", "/things", lambda answers: answers.read),
        Route("POST", "/things", lambda answers: answers.write, "scope"),
        Route("GET", "/things/<name>", lambda answers: answers.read),
        Route("GET", "/files/<path:name>", lambda answers: answers.read),
    ),
    Answers(),
)


class MatchTests(SynchronousTestCase):
    """
    The route of a request.
    """

    def test_method(self) -> None:
        """
        One path has a route for each method, and HEAD has that of GET.
        """
        for method, path in ((b"GET", "GET"), (b"HEAD", "GET"), (b"POST", "POST")):
            found = TABLE.match(method, b"/things")
            self.assertEqual(found.endpoint, f"{path} /things")
            self.assertIsNone(found.error)

    def test_otherMethod(self) -> None:
        """
        Another method has a route for the path, too, so that a disabled endpoint is
        reported as disabled; and it has the error.
        """
        found = TABLE.match(b"DELETE", b"/things/one")
        self.assertEqual(found.endpoint, "GET /things/<name>")
        assert found.error is not None
        self.assertEqual(found.error.status, 405)
        self.assertIn("use GET or HEAD", found.error.message)

    def test_variables(self) -> None:
        """
        Percent escapes are decoded once.
        """
        for path, value in (
            (b"/things/a%20b", "a b"),
            (b"/things/a%2520b", "a%20b"),
            (b"/things/%C3%A4", "ä"),
            (b"//things/x", "x"),
            (b"/things/x/", "x"),
        ):
            self.assertEqual(TABLE.match(b"GET", path).arguments, {"name": value})
        found = TABLE.match(b"GET", b"/files/a/b%2Fc")
        self.assertEqual(found.arguments, {"name": "a/b/c"})

    def test_nothing(self) -> None:
        """
        A path outside of the table is not found.
        """
        for path in (b"/", b"/thing", b"/things//", b"/things/a/b", b"/Things"):
            with self.assertRaises(NotFound):
                TABLE.match(b"GET", path)

    def test_impossible(self) -> None:
        """
        Some paths can't be in any table.
        """
        for path in (b"*", b"things", b"", b"/%ff", b"/\xc3"):
            self.assertFalse(isValidPath(path), path)
        self.assertTrue(isValidPath(b"/%C3%A4"))
