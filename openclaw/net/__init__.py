"""
Networking that knows nothing of agents: HTTP clients, streams of JSON, TLS, listening,
and fair limits.
"""
