"""
What an agent may do, and the policy that says whether.
"""
