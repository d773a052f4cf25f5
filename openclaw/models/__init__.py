"""
Where models are: one file for each dialect that a provider can speak.
"""
