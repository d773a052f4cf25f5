"""
The gateway's numbers: counted where things happen, put into words when asked for.
"""
