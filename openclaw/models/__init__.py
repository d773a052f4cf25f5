"""
Models: providers, and one package for each dialect that a provider can speak.
"""
