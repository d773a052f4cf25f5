"""
A tool, a model provider and a credentials checker for OpenClaw, to be copied.
"""
