"""
What every implementation of an Interface must do: one contract for each.

A contract is a mixin; beside a L{TestCase} and with a way to make the thing it
becomes that implementation's tests.
"""
