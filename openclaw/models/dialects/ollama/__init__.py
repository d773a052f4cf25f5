"""
Ollama's native API.
"""
