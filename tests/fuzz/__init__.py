"""
Fuzzing of everything that reads from the network.
"""
