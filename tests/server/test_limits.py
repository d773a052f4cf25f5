"""
Tests of L{openclaw.server.limits}: budgets of bytes and connections.
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
    Return the origin of an address.
    """
    kind = IPv6Address if ":" in host else IPv4Address
    return kind("TCP", host, 4711)


class FairBudgetTests(SynchronousTestCase):
    """
    Released amounts can be acquired again.
    """

    @given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 50))))
    def test_neverTooMuch(self, wanted):
        """
        The total is never exceeded; a caller that has some leaves a share for others,
        and one that has none can acquire everything that is free.
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
        A caller's only body may grow to the total, in any pieces.
        """
        budget = FairBudget(lambda: 100)
        for own in range(0, 100, 10):
            self.assertTrue(budget.acquire("a", 10, own))
        self.assertFalse(budget.acquire("a", 1, 100))

    def test_less(self):
        """
        After the total was lowered, nothing can be acquired until it is respected
        again.
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
    Counts of connections by address.
    """

    @given(st.lists(origins))
    def test_counted(self, comers):
        """
        Each connection counts for its address, those of this machine for none, and
        nothing remains at the end.
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
        Reading the count of an address stores nothing.
        """
        crowd = ConnectionCounts()
        self.assertEqual(crowd["192.0.2.1"], 0)
        self.assertEqual(len(crowd), 0)


class OriginTests(SynchronousTestCase):
    """
    The origin of callers by their addresses.
    """

    def test_thisMachine(self):
        """
        Programs on this machine are not counted, by any address.
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
        A /64 network is one caller, and a scope id makes no difference.
        """
        one = addressBlock(at("2001:db8:1:2::1"))
        self.assertEqual(addressBlock(at("2001:db8:1:2:ffff::9")), one)
        self.assertNotEqual(addressBlock(at("2001:db8:1:3::1")), one)
        self.assertEqual(addressBlock(at("fe80::1%eth0")), addressBlock(at("fe80::2")))
        self.assertEqual(addressBlock(at("::ffff:192.0.2.1")), "192.0.2.1")

    @given(st.ip_addresses())
    def test_any(self, address):
        """
        Every address has an origin, and is counted unless it is this machine's.
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
        Some descriptors are reserved for runs, and at least one connection is allowed.
        """
        most = connectionLimitFor(descriptors)
        self.assertGreaterEqual(most, 1)
        self.assertLessEqual(most, max(1, descriptors - 64))

    def test_usual(self):
        """
        The usual limit allows hundreds of connections.
        """
        self.assertEqual(connectionLimitFor(1024), 768)
