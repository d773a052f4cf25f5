"""
The HTTP edge: connections, limits and access, before any resource has a request.
"""
