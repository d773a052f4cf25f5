"""
The HTTP server: connections, limits and access checks, up to the parsed request.
"""
