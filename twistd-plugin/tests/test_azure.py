"""
Tests for L{openclaw_example.azure}.
"""

from openclaw_example.azure import AzureOpenAI
from twisted.plugin import getPlugins
from twisted.trial.unittest import SynchronousTestCase

import openclaw.plugins
from openclaw.config import Secret
from openclaw.interfaces import IModelProviderMaker, ModelRequest

ACCEPT = ("Accept", "text/event-stream")


class AzureTests(SynchronousTestCase):
    """
    Requests go where Azure wants them.
    """

    def test_path(self) -> None:
        """
        A deployment's name is part of the path, whatever is in it.
        """
        path = AzureOpenAI().path(ModelRequest("a/b", "", ()))
        self.assertEqual(
            path,
            "/openai/deployments/a%2Fb/chat/completions?api-version=2024-10-21",
        )

    def test_key(self) -> None:
        """
        The key, if there is one, is in Azure's header.
        """
        headers = AzureOpenAI().headers(Secret("hush"))
        self.assertEqual(headers, [ACCEPT, ("api-key", "hush")])
        self.assertEqual(AzureOpenAI().headers(None), [ACCEPT])

    def test_found(self) -> None:
        """
        OpenClaw finds it, by the name for the configuration.
        """
        makers = getPlugins(IModelProviderMaker, openclaw.plugins)
        self.assertIn("azure-openai", [maker.api for maker in makers])
