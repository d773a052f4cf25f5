"""
The settings that pyproject.toml can't express.
"""

from setuptools import find_packages, setup

setup(
    # Without this an editable install hides twisted/plugins from Twisted's search
    # of sys.path.
    package_dir={"": "."},
    # "twisted.plugins" must be named: it is no package of ours and has no __init__.
    packages=[*find_packages(include=["openclaw", "openclaw.*"]), "twisted.plugins"],
    # Only what is named here: else setuptools takes a folder of SQL for a package.
    include_package_data=False,
    package_data={
        "openclaw": ["py.typed"],
        "openclaw.sessions.store": ["schema/*.sql"],
    },
)
