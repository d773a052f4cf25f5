"""
Tests with the real daemon as a process, and real clients.
"""
