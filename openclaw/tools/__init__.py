"""
Tools of agents, and the policy that grants them.
"""
