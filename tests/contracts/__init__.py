"""
The contracts of Interfaces: tests that every implementation must pass.

A contract is a mixin.  Combined with a L{TestCase} and a method that creates an
implementation, it becomes the implementation's tests.
"""
