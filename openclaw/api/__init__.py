"""
The HTTP API: parsing of requests, resources, and encoding of responses.
"""
