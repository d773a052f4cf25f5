"""
Anthropic's Messages API.
"""
