"""
The C{openclaw} command.
"""
