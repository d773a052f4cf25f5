"""
Google's Gemini API.
"""
