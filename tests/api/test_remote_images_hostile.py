"""
Tests of L{openclaw.api.remote_images}: responses of hostile servers.
"""

from hypothesis import given, settings

from openclaw.net.fetching import MAX_REDIRECTS
from tests.api.image_case import PICTURE, RemoteTestCase
from tests.api.test_request_images import URL
from tests.tools.hostile_answers import hostileAnswers

CODES = ("failed_to_download_image", "image_too_large", "unsupported_image_media_type")


class HostileTests(RemoteTestCase):
    """
    For any response, the request is rejected with the field's name.
    """

    @settings(max_examples=150)
    @given(hostileAnswers())
    def test_anyAnswer(self, answer):
        """
        None of the responses has an image.
        """
        self.server.received.clear()
        caller = self.post(PICTURE)
        for _ in range(MAX_REDIRECTS + 1):
            served = len(self.server.received)
            self.serve(answer)
            self.server.close()
            self.net.flush()
            if served == len(self.server.received):
                break
        self.assertEqual(caller.answer.status, 400, caller.answer)
        code = caller.answer.error["code"]
        self.assertIn(code, CODES)
        self.assertNotHad(caller, code, URL)
        self.assertEqual(self.flushLoggedErrors(), [])
