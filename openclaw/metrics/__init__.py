"""
The gateway's metrics: counted during runs, formatted for Prometheus on request.
"""
