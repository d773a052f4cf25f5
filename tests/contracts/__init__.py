"""
The contracts of Interfaces: tests that every implementation must pass.

A contract is a mixin; beside a L{TestCase} and with a way to make the thing it
becomes that implementation's tests.
"""
