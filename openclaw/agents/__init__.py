"""
Agents: resolution, prompt, tools, and the run itself.
"""
