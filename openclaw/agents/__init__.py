"""
Which agent, what it is told, and the run itself.
"""
