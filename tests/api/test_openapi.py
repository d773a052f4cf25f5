"""
Tests of L{docs.openapi}: the description of the HTTP API.
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
        It is the generator's current output.  If it is not, run C{python -m
        docs.openapi.document >docs/openapi.yaml}.
        """
        self.assertEqual(SHIPPED.read_text("utf-8"), text())

    def test_readable(self):
        """
        It is plain YAML without epytext.
        """
        self.assertEqual(yaml.safe_load(text()), document())
        self.assertIsNone(re.search(r"\b[CLIU]\{", text()))


class CompleteTests(SynchronousTestCase):
    """
    The description is complete.
    """

    def test_paths(self):
        """
        Each path of the gateway is described, with its methods.
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
        Each supported field is described.
        """
        schema = document()["components"]["schemas"]["ChatCompletionRequest"]
        self.assertEqual(set(schema["properties"]), KNOWN_FIELDS)

    def test_statuses(self):
        """
        Each status of an error is listed for completions.
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
