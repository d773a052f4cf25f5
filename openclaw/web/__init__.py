"""
The HTTP door: OpenAI's wire form in, server-sent events out.
"""
