"""
The settings that pyproject.toml can't express.
"""

from setuptools import setup

setup(
    # Without this an editable install hides the plug-ins from Twisted's search of
    # sys.path.
    package_dir={"": "."},
    # The last two are no packages of ours: they have no __init__.py, and must not.
    packages=["openclaw_example", "openclaw.plugins", "twisted.plugins"],
)
