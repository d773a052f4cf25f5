"""
Tests of L{docs.openapi}: the description of the HTTP API that is shipped.
"""

import re
from pathlib import Path

import yaml
from twisted.trial.unittest import SynchronousTestCase

import tests
from docs.openapi.document import document, text
from openclaw import errors
from openclaw.api.routes import ROUTES
from openclaw.errors import ConfigError, OpenClawError, StartError, TokenFileError
from tests.api.request_strategies import KNOWN_FIELDS

SHIPPED = Path(tests.__file__).parents[1] / "docs" / "openapi.yaml"
NOT_ANSWERED = (ConfigError, StartError, TokenFileError)


class ShippedTests(SynchronousTestCase):
    """
    The file in the documentation.
    """

    def test_upToDate(self):
        """
        It is the generator's current output.  If it is not, write it anew:
        C{python -m docs.openapi.document >docs/openapi.yaml}.
        """
        self.assertEqual(SHIPPED.read_text("utf-8"), text())

    def test_readable(self):
        """
        It is YAML, with nothing in it that only we can read.
        """
        self.assertEqual(yaml.safe_load(text()), document())
        self.assertIsNone(re.search(r"\b[CLIU]\{", text()))


class CompleteTests(SynchronousTestCase):
    """
    Nothing is left out.
    """

    def test_paths(self):
        """
        Each path that the gateway has is described, with its methods.
        """
        routed = {
            (re.sub("<[^>]*>", "{id}", route.path), route.method.lower())
            for route in ROUTES
        }
        described = {
            (path, method)
            for path, item in document()["paths"].items()
            for method in item
            if method != "parameters"
        }
        self.assertEqual(described, routed)

    def test_fields(self):
        """
        Each field that is used is described.
        """
        schema = document()["components"]["schemas"]["ChatCompletionRequest"]
        self.assertEqual(set(schema["properties"]), KNOWN_FIELDS)

    def test_statuses(self):
        """
        Each status that a caller can be answered with is among those of a completion.
        """
        statuses = {
            str(each.status)
            for each in vars(errors).values()
            if isinstance(each, type)
            and issubclass(each, OpenClawError)
            and not issubclass(each, NOT_ANSWERED)
        }
        self.assertGreater(len(statuses), 10)
        operation = document()["paths"]["/v1/chat/completions"]["post"]
        self.assertEqual(set(operation["responses"]), {"200", *statuses})

    def test_openToAll(self):
        """
        Only the index and the probes need no credential.
        """
        described = document()
        self.assertEqual(described["security"], [{"bearer": []}])
        self.assertEqual(
            {
                path
                for path, item in described["paths"].items()
                for operation in item.values()
                if "security" in operation
            },
            {"/", "/healthz", "/health", "/readyz", "/ready", "/startupz", "/startup"},
        )
