"""
Resources of the HTTP API: requests in OpenAI's shapes become runs, and runs answers.
"""
