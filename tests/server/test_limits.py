"""
Tests of L{openclaw.server.limits}: counting bytes and connections.
"""

from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.trial.unittest import SynchronousTestCase

from openclaw.server.limits import (
    ConnectionCounts,
    FairBudget,
    addressBlock,
    connectionLimitFor,
)

origins = st.sampled_from(["192.0.2.1", "192.0.2.2", "2001:db8::", None])


def at(host):
    """
    The address of a caller.
    """
    kind = IPv6Address if ":" in host else IPv4Address
    return kind("TCP", host, 4711)


class FairBudgetTests(SynchronousTestCase):
    """
    Released room can be taken again.
    """

    @given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 50))))
    def test_neverTooMuch(self, wanted):
        """
        Never more is given out than there is; whoever has some leaves some for others,
        and somebody who has none can have all that is free.
        """
        budget, given_ = FairBudget(lambda: 100), []
        for caller, count in wanted:
            if budget.acquire(caller, count):
                given_.append((caller, count))
                used = sum(each for who, each in given_ if who == caller)
                self.assertTrue(used == count or used <= 3 * (100 - budget.used))
        self.assertEqual(budget.used, sum(count for _, count in given_))
        self.assertLessEqual(budget.used, 100)
        free = 100 - budget.used
        self.assertFalse(budget.acquire("d", free + 1))
        self.assertTrue(not free or budget.acquire("d", free))
        if free:
            budget.release("d", free)
        for caller, count in given_:
            budget.release(caller, count)
        self.assertEqual(budget.used, 0)

    def test_onlyBody(self):
        """
        The only body of a caller may grow to all that there is, in any pieces.
        """
        budget = FairBudget(lambda: 100)
        for own in range(0, 100, 10):
            self.assertTrue(budget.acquire("a", 10, own))
        self.assertFalse(budget.acquire("a", 1, 100))

    def test_less(self):
        """
        After the bound was lowered, nothing is given out until it is kept again.
        """
        most = [100]
        budget = FairBudget(lambda: most[0])
        self.assertTrue(budget.acquire("a", 80))
        most[0] = 50
        self.assertFalse(budget.acquire("b", 1))
        budget.release("a", 40)
        self.assertTrue(budget.acquire("b", 10))


class CrowdTests(SynchronousTestCase):
    """
    Connections by where they come from.
    """

    @given(st.lists(origins))
    def test_counted(self, comers):
        """
        Each is counted for its own address, this machine for none, and what is left
        behind is nothing.
        """
        crowd = ConnectionCounts()
        for origin in comers:
            crowd.add(origin)
        for origin in set(comers):
            expected = 0 if origin is None else comers.count(origin)
            self.assertEqual(crowd[origin], expected)
        for origin in comers:
            crowd.remove(origin)
        self.assertEqual(len(crowd), 0)

    def test_looking(self):
        """
        To ask for an address takes no room.
        """
        crowd = ConnectionCounts()
        self.assertEqual(crowd["192.0.2.1"], 0)
        self.assertEqual(len(crowd), 0)


class OriginTests(SynchronousTestCase):
    """
    The identity of callers by their addresses.
    """

    def test_thisMachine(self):
        """
        This machine's own programs are not counted, whatever way they come.
        """
        for address in (
            at("127.0.0.1"),
            at("127.8.8.8"),
            at("::1"),
            at("::ffff:127.0.0.1"),
            UNIXAddress(b"/run/socket"),
            UNIXAddress(None),
        ):
            self.assertIsNone(addressBlock(address))

    def test_networks(self):
        """
        A network of 64 bits is one caller, and a scope makes no other of it.
        """
        one = addressBlock(at("2001:db8:1:2::1"))
        self.assertEqual(addressBlock(at("2001:db8:1:2:ffff::9")), one)
        self.assertNotEqual(addressBlock(at("2001:db8:1:3::1")), one)
        self.assertEqual(addressBlock(at("fe80::1%eth0")), addressBlock(at("fe80::2")))
        self.assertEqual(addressBlock(at("::ffff:192.0.2.1")), "192.0.2.1")

    @given(st.ip_addresses())
    def test_any(self, address):
        """
        Every address has a place, and is counted unless it is this machine's.
        """
        found = addressBlock(at(str(address)))
        if found is not None:
            ip_address(found)
        if address.version == 4:
            self.assertEqual(found is None, address.is_loopback)


class DescriptorTests(SynchronousTestCase):
    """
    The limits of the operating system.
    """

    @given(st.integers(1, 10_000_000))
    def test_someAreLeft(self, descriptors):
        """
        Runs need some, too; and there is always room for one connection.
        """
        most = connectionLimitFor(descriptors)
        self.assertGreaterEqual(most, 1)
        self.assertLessEqual(most, max(1, descriptors - 64))

    def test_usual(self):
        """
        The usual bound leaves room for hundreds.
        """
        self.assertEqual(connectionLimitFor(1024), 768)
