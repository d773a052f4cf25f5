"""
Tests for L{openclaw.net.guarded_reactor}.
"""

from ipaddress import IPv4Address as IP4
from ipaddress import IPv6Address as IP6
from ipaddress import ip_network

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.interfaces import (
    IReactorPluggableNameResolver,
    IReactorTCP,
    IReactorTime,
)
from twisted.internet.protocol import ClientFactory
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from openclaw.net.guarded_reactor import GuardedReactor, isPublic

PUBLIC = ["93.184.216.34", "1.1.1.1", "2606:4700:4700::1111", "64:ff9b::0101:0101"]

PRIVATE = [
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:93.184.216.34",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "2606:4700:4700::1111%eth0",
    "fec0::1",
    "ff02::1",
    "no address",
    "",
]


class PublicTests(SynchronousTestCase):
    """
    Public and other addresses are distinguished.
    """

    def test_public(self):
        """
        Global unicast addresses are public.
        """
        for address in PUBLIC:
            self.assertTrue(isPublic(address), address)

    def test_private(self):
        """
        Loopback, private, link-local and cloud-internal addresses are not, nor are IPv6
        addresses that embed one.
        """
        for address in PRIVATE:
            self.assertFalse(isPublic(address), address)

    @given(
        st.sampled_from(
            ["10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "192.168.0.0/16"]
        ).map(ip_network),
        st.integers(0, 2**32 - 1),
    )
    def test_disguised(self, network, number):
        """
        A private IPv4 address is not public in any IPv6 notation.
        """
        inner = int(network[0]) | (number & int(network.hostmask))
        self.assertFalse(isPublic(str(IP4(inner))))
        for prefix in ["::", "::ffff:0:0", "64:ff9b::"]:
            self.assertFalse(isPublic(str(IP6(int(IP6(prefix)) | inner))), prefix)
        self.assertFalse(isPublic(str(IP6(int(IP6("2002::")) | inner << 80))))


class GuardTests(SynchronousTestCase):
    """
    A guarded reactor connects to the public Internet only.
    """

    def guard(self, **how):
        """
        Make a guard with a reactor in memory.
        """
        self.reactor = MemoryReactorClock()
        given = {"allowPrivate": False, "maxBytes": 10, **how}
        return GuardedReactor(self.reactor, **given)

    def test_interfaces(self):
        """
        It provides its interfaces.
        """
        guard = self.guard()
        for interface in [IReactorPluggableNameResolver, IReactorTCP, IReactorTime]:
            verifyObject(interface, guard)

    def test_refuses(self):
        """
        Other addresses, and names, are refused.
        """
        guard = self.guard()
        for host in ["127.0.0.1", "::1", "localhost", "example.com"]:
            with self.assertRaises(ValueError):
                guard.connectTCP(host, 80, ClientFactory())
        self.assertEqual(self.reactor.tcpClients, [])
        self.assertTrue(guard.refused)

    def test_connects(self):
        """
        A public address is connected to.
        """
        guard = self.guard()
        guard.connectTCP("1.1.1.1", 80, ClientFactory())
        self.assertEqual(self.reactor.tcpClients[0][:2], ("1.1.1.1", 80))
        self.assertFalse(guard.refused)

    def test_allowed(self):
        """
        C{allowPrivate} allows any address.
        """
        guard = self.guard(allowPrivate=True)
        guard.connectTCP("127.0.0.1", 80, ClientFactory())
        self.assertEqual(len(self.reactor.tcpClients), 1)

    def test_notItsBusiness(self):
        """
        Listening and installing a resolver are not supported.
        """
        guard = self.guard()
        self.assertRaises(NotImplementedError, guard.listenTCP, 0, None)
        self.assertRaises(NotImplementedError, guard.installNameResolver, None)
