"""
Typed configuration, read from YAML and JSON5; every error names its key.
"""
