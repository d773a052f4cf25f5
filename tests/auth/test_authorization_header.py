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
    Return the header of HTTP Basic.
    """
    return b"Basic " + b64encode(name + b":" + password)


class BearerTests(SynchronousTestCase):
    """
    C{Authorization: Bearer}.
    """

    def test_spellings(self) -> None:
        """
        The scheme may have any case, and any blanks before, between and after.
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
        The secret is unchanged, with its case, blanks and bytes.
        """
        for secret in (b"AbC", b"two words", b"p\xc3\xa4ss", b"\xe4\xff", b"a:b", b"="):
            self.assertEqual(parseCredentials(b"Bearer " + secret).token, secret)

    def test_interface(self) -> None:
        """
        The credentials provide the interface.
        """
        verifyObject(IBearerToken, parseCredentials(b"Bearer x"))

    def test_hidden(self) -> None:
        """
        Their C{repr} does not have the secret.
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
        A password may contain anything, including colons; a name anything but colons.
        """
        credentials = parseCredentials(basic(name, password))
        self.assertEqual(credentials.username, name)
        self.assertEqual(credentials.password, password)

    def test_malformed(self) -> None:
        """
        A value that can't be decoded is rejected, without showing it.
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
    Headers without a credential.
    """

    def test_nothing(self) -> None:
        """
        For no header, an empty one, a scheme without a secret, another scheme, or a
        secret without a scheme, the error has the expected form, and not the value.
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
        Any value results in credentials or an authentication error.
        """
        try:
            credentials = parseCredentials(header)
        except AuthenticationFailed:
            return
        self.assertTrue(
            IBearerToken.providedBy(credentials)
            or IUsernamePassword.providedBy(credentials)
        )
