"""
Google's Generative Language API, which Gemini speaks.
"""
