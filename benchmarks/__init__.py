"""
Load tools: what a request costs, beside other servers on the same machine.
"""
