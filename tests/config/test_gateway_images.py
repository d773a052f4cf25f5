"""
Tests of L{openclaw.config.gateway}.
"""

from twisted.trial.unittest import SynchronousTestCase

from tests.config.check_helpers import at, configOf, faultsOf

ENDPOINT = "gateway.http.endpoints.chatCompletions"


class ImagesTests(SynchronousTestCase):
    """
    The hosts of images.
    """

    def test_hosts(self):
        """
        The list is exact, except for case and a leading star; an empty one allows any
        host.
        """
        images = configOf({}).gateway.http.endpoints.chatCompletions.images
        self.assertIs(images.allowUrl, False)
        self.assertTrue(images.allowsHost("example.com"))
        listed = at(f"{ENDPOINT}.images.urlAllowlist", ["Example.com", "*.cdn.net"])
        images = configOf(listed).gateway.http.endpoints.chatCompletions.images
        for host in ("example.com", "EXAMPLE.com.", "a.cdn.net", "a.b.CDN.net"):
            self.assertTrue(images.allowsHost(host), host)
        for host in ("a.example.com", "cdn.net", "evilcdn.net", "cdn.net.evil", ""):
            self.assertFalse(images.allowsHost(host), host)

    def test_noHosts(self):
        """
        An entry that could never match is an error.
        """
        path = f"{ENDPOINT}.images.urlAllowlist"
        for host in ("https://a", "a/b", "a:80", "*", "a.*.b", "*a", "a.", "", "a\n"):
            (fault,) = faultsOf(at(path, [host]))
            self.assertTrue(fault.startswith(f"{path}[0]: expected a host name"), fault)
