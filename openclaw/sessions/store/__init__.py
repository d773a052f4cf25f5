"""
The session store.
"""
