"""
Whatever reads the network, and what an enemy could send to it.
"""
