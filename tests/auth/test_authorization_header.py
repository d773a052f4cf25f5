"""
Tests of L{openclaw.auth.authorization_header}.
"""

from base64 import b64encode

from hypothesis import given
from hypothesis import strategies as st
from twisted.cred.credentials import IUsernamePassword
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from openclaw.auth.authorization_header import CREDENTIAL_REQUIRED, parseCredentials
from openclaw.errors import AuthenticationFailed
from openclaw.interfaces import IBearerToken

SECRET = b"s3cr3t"


def basic(name: bytes, password: bytes) -> bytes:
    """
    The header of HTTP Basic.
    """
    return b"Basic " + b64encode(name + b":" + password)


class BearerTests(SynchronousTestCase):
    """
    C{Authorization: Bearer}.
    """

    def test_spellings(self) -> None:
        """
        Any case, and any blanks before, between and after.
        """
        for header in (
            b"Bearer s3cr3t",
            b"bearer s3cr3t",
            b"BEARER s3cr3t",
            b"bEaReR   s3cr3t",
            b"  Bearer s3cr3t  ",
            b"Bearer  \t s3cr3t\t",
        ):
            credentials = parseCredentials(header)
            self.assertTrue(IBearerToken.providedBy(credentials))
            self.assertEqual(credentials.token, SECRET)

    def test_asSent(self) -> None:
        """
        The secret is taken as it was sent, with its case, blanks and odd bytes.
        """
        for secret in (b"AbC", b"two words", b"p\xc3\xa4ss", b"\xe4\xff", b"a:b", b"="):
            self.assertEqual(parseCredentials(b"Bearer " + secret).token, secret)

    def test_interface(self) -> None:
        """
        The credentials are what they say.
        """
        verifyObject(IBearerToken, parseCredentials(b"Bearer x"))

    def test_hidden(self) -> None:
        """
        Printing them does not show the secret.
        """
        credentials = parseCredentials(b"Bearer s3cr3t")
        for text in (repr(credentials), str(credentials), f"{credentials}"):
            self.assertNotIn("s3cr3t", text)


class BasicTests(SynchronousTestCase):
    """
    C{Authorization: Basic}.
    """

    def test_basic(self) -> None:
        """
        Name and password, in any case of the scheme.
        """
        for header in (
            basic(b"ada", SECRET),
            basic(b"ada", SECRET).replace(b"Basic ", b" bAsIc   "),
        ):
            credentials = parseCredentials(header)
            self.assertTrue(IUsernamePassword.providedBy(credentials))
            self.assertEqual(credentials.username, b"ada")
            self.assertTrue(credentials.checkPassword(SECRET))
            self.assertNotIn("s3cr3t", repr(credentials))

    @given(name=st.binary().filter(lambda name: b":" not in name), password=st.binary())
    def test_anyBytes(self, name, password) -> None:
        """
        A password may hold anything, colons too; a name anything but colons.
        """
        credentials = parseCredentials(basic(name, password))
        self.assertEqual(credentials.username, name)
        self.assertEqual(credentials.password, password)

    def test_malformed(self) -> None:
        """
        A value that can't be decoded is refused, without showing it.
        """
        for rest in (
            b"s3cr3t!",
            b"s3c",
            b"\xff\xfe",
            b64encode(b"s3cr3t"),
            b"!" + b64encode(b"ada:s3cr3t"),
            b"=",
            b"a b",
        ):
            error = self.assertRaises(
                AuthenticationFailed, parseCredentials, b"Basic " + rest
            )
            self.assertEqual(error.status, 401)
            self.assertIn("malformed", error.message)
            self.assertNotIn("s3c", error.message)


class NoCredentialTests(SynchronousTestCase):
    """
    A header that has no credential.
    """

    def test_nothing(self) -> None:
        """
        No header, an empty one, a scheme without a secret, another scheme, or a
        secret without a scheme: the error says what is expected, and shows nothing.
        """
        for header in (
            None,
            b"",
            b"   ",
            b"Bearer",
            b"Bearer ",
            b"bearer   \t ",
            b"Basic",
            b"Basic  ",
            b"Digest s3cr3t",
            b"Bearers3cr3t",
            b"Bearers s3cr3t",
            b"s3cr3t",
            b"Token s3cr3t",
        ):
            error = self.assertRaises(AuthenticationFailed, parseCredentials, header)
            self.assertEqual(error.message, CREDENTIAL_REQUIRED)
            self.assertEqual(error.code, "invalid_api_key")
            self.assertEqual(error.status, 401)

    @given(header=st.binary())
    def test_anyBytes(self, header) -> None:
        """
        Whatever is sent, there are credentials or a clean refusal.
        """
        try:
            credentials = parseCredentials(header)
        except AuthenticationFailed:
            return
        self.assertTrue(
            IBearerToken.providedBy(credentials)
            or IUsernamePassword.providedBy(credentials)
        )
