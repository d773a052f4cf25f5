"""
OpenAI's Responses API.
"""
