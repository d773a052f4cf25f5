"""
Tests that start the real daemon as a process and use real clients.
"""
