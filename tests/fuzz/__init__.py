"""
Fuzzing of all that reads the network.
"""
